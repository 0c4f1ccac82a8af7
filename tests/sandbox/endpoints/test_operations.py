"""Operations without an endpoint of their own: requests are validated against their schemas, and answered from them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.app import ENDPOINTS
from mistral_mcp.sandbox.protocol.operation import Operation, operations, resolve, standalone


def example_of(schema: dict[str, Any]) -> Any:
    return fill_schema(standalone(schema), Hints(""))


def path_of(operation: Operation) -> str:
    path = operation.path
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(example_of(parameter["schema"])))
    return path


def query_of(operation: Operation) -> Iterator[tuple[str, str]]:
    for parameter in operation.parameters:
        if parameter["in"] == "query" and parameter["required"]:
            value = example_of(parameter["schema"])
            yield parameter["name"], value if isinstance(value, str) else json.dumps(value)


def item_below(operation: Operation) -> str:
    """The name of what is looked up below this path; empty where nothing is."""
    found = [each for each in operations() if each.method == "GET" and each.prefix == operation.path]
    return next((each.last_parameter for each in found if each.last_parameter), "")


def has_endpoint(operation: Operation) -> bool:
    path = path_of(operation)
    return any(each.method == operation.method and each.match(path) is not None for each in ENDPOINTS)


OPERATIONS = [each for each in operations() if not has_endpoint(each)]
CREATES = [each for each in OPERATIONS if each.method == "POST" and item_below(each)]


def id_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


async def ask(api: httpx2.AsyncClient, operation: Operation, **changes: Any) -> httpx2.Response:
    body: dict[str, Any] = {}
    if operation.is_form:
        body = {"files": {"file": ("a.txt", b"x", "text/plain")}}
    elif operation.body is not None:
        body = {"json": example_of(operation.body)}
    return await api.request(
        operation.method, path_of(operation), params=dict(query_of(operation)), **body | changes
    )


def test_there_are_hundreds_of_them():
    assert len(OPERATIONS) > 200
    assert len(CREATES) > 15


@pytest.mark.parametrize("operation", OPERATIONS, ids=id_of)
async def test_its_reply_is_valid_by_its_schema_and_always_the_same(operation: Operation, api: httpx2.AsyncClient):
    reply = await ask(api, operation)

    media = operation.replies[0].get("media", "")
    assert reply.status_code == operation.status, reply.text
    assert reply.headers.get("content-type", "").partition(";")[0] == media
    if media == "application/json":
        assert [error.message for error in operation.reply_validator.iter_errors(reply.json())] == []
    if operation.method == "GET":
        assert (await ask(api, operation)).content == reply.content


@pytest.mark.parametrize("operation", CREATES, ids=id_of)
async def test_what_was_made_is_looked_up_listed_and_deleted(operation: Operation, api: httpx2.AsyncClient):
    made = (await ask(api, operation)).json()
    name = str(made.get(item_below(operation), made.get("id")))

    seen = await api.get(f"{path_of(operation)}/{name}")
    assert seen.status_code == 200
    assert name in seen.text
    if (await api.delete(f"{path_of(operation)}/{name}")).status_code < 300:
        assert (await api.get(f"{path_of(operation)}/{name}")).status_code == 404


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.body is not None and not each.is_form], ids=id_of
)
async def test_a_member_that_is_not_in_its_schema_is_refused(operation: Operation, api: httpx2.AsyncClient):
    shape = resolve(operation.body or {})
    if "properties" not in shape or shape.get("additionalProperties"):
        pytest.skip("open to any member")
    body = {**example_of(operation.body or {}), "nobody_knows_this": 1}

    reply = await ask(api, operation, json=body)

    assert reply.status_code == 422
    assert "nobody_knows_this" in str(reply.json()["detail"])


async def test_other_keys_do_not_see_what_was_made(api: httpx2.AsyncClient):
    operation = next(each for each in CREATES if each.path == "/v1/connectors")
    made = (await ask(api, operation)).json()
    listed = (await api.get("/v1/connectors")).text
    others = (await api.get("/v1/connectors", headers={"authorization": "Bearer other-key"})).text
    assert made["id"] in listed
    assert made["id"] not in others
