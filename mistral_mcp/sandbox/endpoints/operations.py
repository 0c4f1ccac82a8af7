"""Every operation without a hand-written endpoint: answered from its schemas and the objects created before."""

from functools import cache
from typing import Any, cast

from mistral_mcp.sandbox.answers.answer_operation import answer_list, answer_operation, list_place
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_fields
from mistral_mcp.sandbox.protocol.operation import Operation, operations
from mistral_mcp.sandbox.protocol.replies import Reply, compact, data_reply, json_reply, stream_reply
from mistral_mcp.sandbox.state.api_objects import ApiObjects

SAMPLE = b"A sample of the sandbox.\n"
"""The body of replies that are neither JSON nor a stream."""


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """One endpoint for each operation, built on first use."""
    return tuple(Endpoint(each.method, each.path, _Answer(each)) for each in operations())


@cache
def _lookup_operations() -> dict[str, Operation]:
    """The operations that return one object, by their path."""
    return {each.path: each for each in operations() if each.method == "GET" and each.last_parameter}


@cache
def _collections_by_id() -> dict[str, str]:
    """The collection in which an id of other replies is looked up, by the name of the id, such as `execution_id`."""
    plain = [
        each
        for each in _lookup_operations().values()
        if "{" not in each.prefix and each.last_parameter.endswith("_id")
    ]
    return {each.last_parameter: each.prefix for each in plain}


class _Answer:
    """The function that answers one operation."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def __call__(self, call: Call) -> Reply:
        operation, query = self._operation, call.request.query
        operation.check_parameters(call.params, {name: query.getlist(name) for name in query})
        body = self._body(call)
        reply = self._reply(call, _as_members(body))

        media = operation.replies[0].get("media", "")
        if not media:
            return Reply(operation.status)
        if media == "application/json":
            return json_reply(reply, operation.status)
        if media == "text/event-stream":
            return stream_reply([compact(cast("dict[str, Any]", reply).get("data", reply))])
        return data_reply(SAMPLE, media)

    def _body(self, call: Call) -> Any:
        if not self._operation.is_form:
            return self._operation.check_body(call.request.body)
        form = call.form
        if form is None or not form.files:
            raise invalid_fields(
                [{"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": None}]
            )
        return {name: values[-1] for name, values in form.fields.items()}

    def _reply(self, call: Call, body: dict[str, Any]) -> Any:
        operation, objects = self._operation, call.account.section(ApiObjects)
        path = call.request.path.rstrip("/")
        if operation.last_parameter:
            return self._answer_object(objects, path, body)
        if f"{operation.path}/" in {f"{each.prefix}/" for each in _lookup_operations().values()}:
            if operation.method == "POST":
                return self._create(call, objects, path, body)
            place = list_place(operation)
            if operation.method == "GET" and place is not None:
                return answer_list(operation, place, objects.newest_first(path))
        return self._answer_action(call, objects, body)

    def _answer_object(self, objects: ApiObjects, path: str, body: dict[str, Any]) -> Any:
        """Look up, change or delete the object at this path."""
        collection, _, name = path.rpartition("/")
        known = objects.find(collection, name)
        if self._operation.method == "DELETE":
            objects.delete(collection, name)
        elif self._operation.method in ("PATCH", "PUT"):
            objects.put(collection, name, body)
        named = {"id": name, self._operation.last_parameter: name}
        return answer_operation(self._operation, named, known, body)

    def _create(self, call: Call, objects: ApiObjects, path: str, body: dict[str, Any]) -> Any:
        """Create an object in the collection, with a new id."""
        parameter = next(
            each.last_parameter for each in _lookup_operations().values() if each.prefix == self._operation.path
        )
        name = call.account.new_id(path)
        reply = answer_operation(self._operation, body, {"id": name, parameter: name})
        thing = {**body, **_as_members(reply)}
        names = [str(thing[key]) for key in ("id", parameter, "name") if isinstance(thing.get(key), str | int)]
        if names:
            objects.put(path, names[0], thing, *names[1:])
        return reply

    def _answer_action(self, call: Call, objects: ApiObjects, body: dict[str, Any]) -> Any:
        """Answer any other operation. If its reply has an id that is looked up elsewhere, such as of a run, store the object."""
        operation = self._operation
        ids = {}
        if operation.method != "GET":
            unnamed = {name for name in _collections_by_id() if name not in call.params and name not in body}
            ids = {name: call.account.new_id(name) for name in sorted(unnamed)}
        reply = answer_operation(operation, ids, dict(call.params), body)
        members = _as_members(reply)
        if operation.method == "POST":
            for name in _collections_by_id().keys() & members.keys():
                objects.put(_collections_by_id()[name], str(members[name]), members)
        return reply


def _as_members(value: Any) -> dict[str, Any]:
    """A JSON object; empty for any other value."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    return {}
