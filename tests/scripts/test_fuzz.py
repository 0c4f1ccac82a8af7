"""The fuzz finds what it is there to find, and knows every route."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.fuzz.signing_in import Damages, damage
from scripts.fuzz.surface import METHODS, Known, Request, requests_to, route_methods
from scripts.fuzz.target import LARGEST, Target

KNOWN = Known("mmcp_a", "client", ("kr_a",), {"token": ["mmcp_a"]})


@pytest.mark.parametrize(
    ("status", "answer", "found"),
    [
        (200, b"{}", ""),
        (404, b"{}", ""),
        (503, b"{}", ""),
        (500, b"{}", "status 500"),
        (200, b"x" * (LARGEST + 1), "an answer of"),
        (200, b"Traceback (most recent call last)", "Traceback"),
    ],
)
def test_what_must_not_be_is_a_finding_with_the_request(status: int, answer: bytes, found: str):
    target = Target("target", st.just("the request"), lambda _: (status, answer))

    target.explore(0)

    assert found in target.finding
    assert bool(found) == bool(target.finding)
    assert "FAILED" in str(target) or not found


def test_a_connection_that_breaks_is_a_finding():
    def break_connection(_: object) -> tuple[int, bytes]:
        raise ConnectionResetError

    target = Target("target", st.just("the request"), break_connection)
    target.explore(0)

    assert "ConnectionResetError" in target.finding


@pytest.mark.parametrize(
    ("damages", "expected"),
    [
        ([], [("code", "abcd"), ("scope", "read")]),
        ([("code", "drop", "x")], [("scope", "read")]),
        ([("code", "flip", "x")], [("code", "abbd"), ("scope", "read")]),
        ([("code", "other", "x")], [("code", "another's"), ("scope", "read")]),
        ([("code", "repeat", "x"), ("scope", "cut", "")], [("code", "abcd"), ("code", "x"), ("scope", "re")]),
        ([("state", "replace", "x")], [("code", "abcd"), ("scope", "read"), ("state", "x")]),
    ],
)
def test_a_damage_changes_the_field_that_it_names_and_no_other(damages: Damages, expected: list[tuple[str, str]]):
    assert damage([("code", "abcd"), ("scope", "read")], damages, {"code": "another's"}) == expected


def test_every_route_of_the_hosted_app_is_a_target():
    routes = route_methods()

    assert {"/mcp", "/c/{token}/mcp", "/connections", "/results/{handle}", "/token", "/authorize"} <= routes.keys()
    assert "DELETE" in routes["/connections/current"]


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(requests_to("/results/{handle}", ("GET",), KNOWN))
def test_a_request_to_a_route_names_no_placeholder(request: Request):
    assert request.method in METHODS
    assert "{handle}" not in request.path
