"""The catalogue: nothing missing, nothing copied, and every example a call that its own schema takes."""

import re

import pytest

from mistral_mcp.errors import BadArgument
from mistral_mcp.operations.arguments import check
from mistral_mcp.operations.examples import example
from mistral_mcp.operations.operation import Operation, find, operations, with_definitions
from scripts.operations import __main__ as script
from scripts.operations import from_sdk

every_operation = pytest.mark.parametrize("operation", operations().values(), ids=lambda operation: operation.id)


def shape(method: str, path: str) -> str:
    """Sources name the parts of a path differently."""
    return f"{method} {re.sub(r'{[^}]+}', '{}', path)}"


def test_the_installed_sdk_knows_no_operation_that_the_catalogue_lacks():
    known = {shape(each.method, each.path) for each in operations().values()}
    sdk = {shape(each.method, each.path.partition("#")[0]) for each in from_sdk.methods()}

    assert len(sdk) > 200
    assert sdk <= known, "make operations, and say in scripts/operations/operations.tsv what each does"


def test_what_needs_an_admin_key_is_left_out():
    assert not [each.path for each in operations().values() if "/admin/" in each.path or "api-keys" in each.path]


@pytest.mark.slow
def test_the_files_are_what_make_operations_writes():
    ours, sandbox = script.compile_catalogues()

    assert script.CATALOGUE.read_text("utf-8") == script.render(ours)
    assert script.SANDBOX.read_text("utf-8") == script.render(sandbox)


@every_operation
def test_its_example_fits_its_own_schema(operation: Operation):
    call = example(operation)

    request = check(operation, call.get("parameters"), call.get("body"))

    assert request.path.keys() == set(re.findall(r"{(\w+)}", operation.path))


@every_operation
def test_its_schemas_lead_nowhere_else(operation: Operation):
    for schema in [operation.body or {}, operation.reply, *(each.schema for each in operation.parameters)]:
        with_definitions(schema)


@every_operation
def test_a_summary_is_one_short_line_of_our_own(operation: Operation):
    assert 8 <= len(operation.summary) <= 80
    assert operation.summary[0].isupper()
    assert not operation.summary.endswith(".")


def test_what_watches_another_and_what_stands_in_for_another_is_there():
    for each in operations().values():
        assert not each.watch or operations()[each.watch].effect == "read"
        assert not re.fullmatch(r"[\w.]+", each.instead) or each.instead in operations()


def test_a_method_and_path_name_an_operation_too():
    assert find("post /v1/agents").id == "agents.create"
    assert find(" GET  /v1/agents/{agent_id}/ ").id == "agents.get"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("agents.craete", "agents.create"), ("POST /v1/agent", "POST /v1/agents"), ("zzz", "search")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, nearest: str):
    with pytest.raises(BadArgument, match=nearest):
        find(name)
