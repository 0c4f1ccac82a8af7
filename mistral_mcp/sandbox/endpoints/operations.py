"""Every operation that has no endpoint of its own: answered from its schemas, with what was made there before."""

from functools import cache
from typing import Any, cast

from mistral_mcp.sandbox.answers.answer_operation import answer_list, answer_operation, list_place
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_fields
from mistral_mcp.sandbox.protocol.operation import Operation, operations
from mistral_mcp.sandbox.protocol.replies import Reply, compact, data_reply, json_reply, stream_reply
from mistral_mcp.sandbox.state.api_objects import ApiObjects

SAMPLE = b"A sample of the sandbox.\n"


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """One for each, built when the first of them is asked for."""
    return tuple(Endpoint(each.method, each.path, _Answer(each)) for each in operations())


@cache
def _looked_up() -> dict[str, Operation]:
    """What gives one thing, by the path of it."""
    return {each.path: each for each in operations() if each.method == "GET" and each.last_parameter}


@cache
def _by_parameter() -> dict[str, str]:
    """Where a thing is looked up whose id stands in other replies, by the name of the id: `execution_id`."""
    plain = [
        each for each in _looked_up().values() if "{" not in each.prefix and each.last_parameter.endswith("_id")
    ]
    return {each.last_parameter: each.prefix for each in plain}


class _Answer:
    """What answers at one operation."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def __call__(self, call: Call) -> Reply:
        operation, query = self._operation, call.request.query
        operation.check_parameters(call.params, {name: query.getlist(name) for name in query})
        body = self._body(call)
        reply = self._reply(call, cast("dict[str, Any]", body if isinstance(body, dict) else {}))
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
            return self._one(objects, path, body)
        if f"{operation.path}/" in {f"{each.prefix}/" for each in _looked_up().values()}:
            if operation.method == "POST":
                return self._create(call, objects, path, body)
            place = None
            if operation.method == "GET":
                place = list_place(operation)
            if place is not None:
                return answer_list(operation, place, objects.newest_first(path))
        return self._other(call, objects, body)

    def _one(self, objects: ApiObjects, path: str, body: dict[str, Any]) -> Any:
        """What is at this path: looked up, changed or deleted."""
        collection, _, name = path.rpartition("/")
        known = objects.find(collection, name)
        if self._operation.method == "DELETE":
            objects.delete(collection, name)
        elif self._operation.method in ("PATCH", "PUT"):
            objects.put(collection, name, body)
        named = {"id": name, self._operation.last_parameter: name}
        return answer_operation(self._operation, named, known, body)

    def _create(self, call: Call, objects: ApiObjects, path: str, body: dict[str, Any]) -> Any:
        """A new thing of the collection, under an id of its own."""
        parameter = next(
            each.last_parameter for each in _looked_up().values() if each.prefix == self._operation.path
        )
        name = call.account.new_id(path)
        reply = answer_operation(self._operation, body, {"id": name, parameter: name})
        thing = {**body, **cast("dict[str, Any]", reply if isinstance(reply, dict) else {})}
        names = [str(thing[key]) for key in ("id", parameter, "name") if isinstance(thing.get(key), str | int)]
        if names:
            objects.put(path, names[0], thing, *names[1:])
        return cast("Any", reply)

    def _other(self, call: Call, objects: ApiObjects, body: dict[str, Any]) -> Any:
        """What does something with a thing, and what begins one that is looked up elsewhere."""
        operation = self._operation
        ids = {}
        if operation.method != "GET":
            unnamed = {name for name in _by_parameter() if name not in call.params and name not in body}
            ids = {name: call.account.new_id(name) for name in sorted(unnamed)}
        reply = answer_operation(operation, ids, dict(call.params), body)
        members = cast("dict[str, Any]", reply if isinstance(reply, dict) else {})
        if operation.method == "POST":
            for name in _by_parameter().keys() & members.keys():
                objects.put(_by_parameter()[name], str(members[name]), members)
        return cast("Any", reply)
