"""Messages as clients really send them: repaired, or refused with an error that has their id."""

import json
from typing import Any

import pytest

from mistral_mcp.json_rpc import MAX_DEPTH, MAX_MEMBERS, MAX_VALUES, Message, MessageError, MessageReader

PING = b'"jsonrpc":"2.0","method":"ping"'
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mistral_chat","arguments":{"prompt":%b}}}'


async def read(body: bytes, largest: int) -> Message:
    return await MessageReader(largest).read(body)


async def read_message(body: bytes) -> Any:
    """What the SDK is given to parse."""
    return json.loads((await read(body, 2 * len(body) + 1)).body)


async def refuse(body: bytes) -> tuple[int, object]:
    with pytest.raises(MessageError) as error:
        await read(body, len(body))
    assert 0 < len(error.value.text) < 200
    return error.value.code, error.value.answer()["id"]


@pytest.mark.parametrize(
    "line", [b"hello", b'{"id":2,' + PING, b"", b"{'id':1}", b"\xff\xfe", b'{"id":1,"x":NaN,' + PING + b"}"]
)
async def test_what_is_no_json_is_a_parse_error(line: bytes):
    assert await refuse(line) == (-32700, None)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 5000])
async def test_numbers_that_no_other_program_reads_are_refused(number: bytes):
    assert await refuse(CALL % number) == (-32700, None)


@pytest.mark.parametrize("line", [b"[]", b'[{"id":3,' + PING + b"}]", b"42", b'"ping"', b"null", b"true"])
async def test_a_batch_and_what_is_no_object_is_no_request(line: bytes):
    assert await refuse(line) == (-32600, None)


@pytest.mark.parametrize("value", [b"null", b"true", b"1.0", b"4.5", b"[]", b"{}", b'"%b"' % (b"x" * 300)])
async def test_an_id_that_is_neither_text_nor_integer_is_refused(value: bytes):
    assert await refuse(b'{"id":' + value + b"," + PING + b"}") == (-32600, None)


@pytest.mark.parametrize(
    "members",
    [
        b'"jsonrpc":"2.0"',
        b'"jsonrpc":"2.0","method":5',
        b'"jsonrpc":"2.0","method":"%b"' % (b"x" * 300),
        b'"jsonrpc":"1.0","method":"ping"',
        b'"method":"ping"',
        PING + b',"params":[1]',
    ],
)
async def test_what_is_no_request_is_refused_under_its_id(members: bytes):
    assert await refuse(b'{"id":5,' + members + b"}") == (-32600, 5)


@pytest.mark.parametrize(
    "line", [b'{"id":"a",' + PING + b"}", b"{" + PING + b"}", b'{"jsonrpc":"2.0","id":7,"result":{}}']
)
async def test_requests_notifications_and_responses_pass_as_they_are(line: bytes):
    assert (await read(line, len(line))).body == line


async def test_a_byte_order_mark_is_ignored():
    assert (await read_message(b'\xef\xbb\xbf{"id":6,' + PING + b"}"))["id"] == 6


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        (rb'"whole \ud83d\ude00"', "whole 😀"),
        (rb'"half \ud83d"', "half \ufffd"),
        (rb'"other \ude00 half"', "other \ufffd half"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (rb'"no escape \\ud83d"', r"no escape \ud83d"),
        (b'"no UTF-8 \xed\xa0\xbd"', "no UTF-8 \ufffd\ufffd\ufffd"),
        (b'"cut \xf0\x9f"', "cut \ufffd"),
    ],
)
async def test_half_a_surrogate_pair_becomes_a_replacement_character(text: bytes, arrives: str):
    assert (await read_message(CALL % text))["params"]["arguments"]["prompt"] == arrives


@pytest.mark.parametrize("token", [b"null", b"1.5", b"true", b"[1]", b"{}"])
async def test_a_progress_token_that_cannot_be_used_is_left_out(token: bytes):
    body = b'{"id":1,' + PING + b',"params":{"_meta":{"progressToken":' + token + b',"a":1}}}'
    message = await read(body, len(body))
    assert json.loads(message.body)["params"]["_meta"] == {"a": 1}
    assert not message.wants_progress


@pytest.mark.parametrize("token", [b"0", b'"t"'])
async def test_a_progress_token_that_can_be_used_stays(token: bytes):
    body = b'{"id":1,' + PING + b',"params":{"_meta":{"progressToken":' + token + b"}}}"
    message = await read(body, len(body))
    assert message.body == body
    assert message.wants_progress


async def test_nesting_is_bounded():
    deep = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    assert await refuse(CALL % deep) == (-32600, None)
    assert await refuse(b"[" * 400_000) == (-32600, None)
    assert await read_message(CALL % (b"[" * 90 + b"]" * 90))


@pytest.mark.parametrize("value", [b"{},", b"1,", b'"",'])
async def test_the_number_of_values_is_bounded_before_any_is_built(value: bytes):
    assert await refuse(CALL % (b"[" + value * (2 * MAX_VALUES) + b"1]")) == (-32600, None)


async def test_separators_within_a_text_do_not_count():
    text = 'x, [y], {z} \\ " ' * (MAX_VALUES // 2)
    assert (await read_message(CALL % json.dumps(text).encode()))["params"]["arguments"]["prompt"] == text


async def test_a_message_beyond_the_size_is_refused():
    with pytest.raises(MessageError, match="at most 10 bytes"):
        await read(b'{"id":1,' + PING + b"}", 10)


async def test_the_number_of_arguments_is_bounded():
    many = json.dumps({str(number): 1 for number in range(MAX_MEMBERS + 1)}).encode()
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}'
    assert await refuse(call % many) == (-32602, 1)
    assert await refuse(call % b'{"name":"x","arguments":%b}' % many) == (-32602, 1)


@pytest.mark.parametrize(
    ("method", "params", "word"),
    [
        ("tools/call", {"name": "mistral_list_models", "arguments": "{}"}, "arguments"),
        ("tools/call", {"name": "mistral_list_models", "arguments": [1]}, "arguments"),
        ("tools/call", {"arguments": {}}, "name"),
        ("tools/call", {"name": None}, "name"),
        ("tools/list", {"cursor": "abc"}, "cursor"),
        ("prompts/list", {"cursor": 5}, "cursor"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(method: str, params: dict[str, object], word: str):
    body = json.dumps({"jsonrpc": "2.0", "id": 8, "method": method, "params": params}).encode()
    with pytest.raises(MessageError, match=word) as error:
        await read(body, len(body))
    assert (error.value.code, error.value.id) == (-32602, 8)


async def test_a_cursor_of_null_is_none():
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":null}}'
    assert (await read(body, len(body))).body == body
