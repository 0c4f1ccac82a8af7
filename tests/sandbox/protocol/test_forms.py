"""Forms, in both of their encodings."""

import pytest
from starlette.datastructures import QueryParams

from mistral_mcp.sandbox.protocol.forms import Upload, read_form
from mistral_mcp.sandbox.protocol.request import Received

PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b--\r\n'
)


def make_request(kind: str, body: bytes) -> Received:
    return Received("POST", "/", QueryParams(), {"content-type": kind}, body)


async def test_fields_may_come_more_than_once_and_files_keep_their_names():
    form = await read_form(make_request("multipart/form-data; boundary=b", PARTS))
    assert form.fields == {"a": ["1", "2"]}
    assert form.files == {"file": Upload("x.txt", "text/plain", b"Hi")}


async def test_a_form_without_files_may_be_encoded_like_a_query():
    form = await read_form(make_request("application/x-www-form-urlencoded", b"a=1&a=2&b=%C3%A9"))
    assert form.fields == {"a": ["1", "2"], "b": ["é"]}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", PARTS),
        ("multipart/form-data; boundary=b", b"nonsense"),
    ],
)
async def test_what_is_no_form_gives_none(kind: str, body: bytes):
    assert await read_form(make_request(kind, body)) is None
