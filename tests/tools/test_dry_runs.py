"""`dry_run`: the minimum and maximum cost of a call, compared with the cost of the same call."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from tests.conftest import connect_in_memory, connect_over_http, text_of
from tests.tools.framework.estimates.files import pdf, slides, wav

TOOLSETS = "core,documents,audio,batch,research,files"
MODEL = "mistral-small-latest"
CHAT = "/v1/chat/completions"


@pytest.fixture
async def client(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "report.pdf").write_bytes(pdf(300))
    (tmp_path / "talk.wav").write_bytes(wav(90))
    async with connect_in_memory(
        mistral_url, toolsets=TOOLSETS, files_dir=tmp_path, output_dir=tmp_path / "results"
    ) as client:
        yield client


def as_url(content: bytes, kind: str = "application/pdf") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


async def estimate(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, {**arguments, "dry_run": True})
    assert not result.is_error, text_of(result)
    assert result.structured_content["dry_run"] is True
    assert "no paid request was sent" in text_of(result)
    return result.structured_content


async def upload(client: Client, name: str, purpose: str, content: bytes) -> str:
    result = await client.call_tool(
        "mistral_upload_file",
        {"filename": name, "purpose": purpose, "content_base64": base64.b64encode(content).decode()},
    )
    assert not result.is_error, text_of(result)
    return result.structured_content["id"]


def make_body(text: str, **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **members}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mistral_ocr", {"document": as_url(pdf(3))}),
        ("mistral_transcribe", {"path": "talk.wav"}),
        ("mistral_speak", {"text": "Bonjour !"}),
        ("mistral_embed", {"inputs": ["one", "two"]}),
        ("mistral_compare", {"models": [MODEL, "mistral-large-latest"], "prompt": "Hello"}),
        ("mistral_create_batch_job", {"endpoint": CHAT, "model": MODEL, "requests": [{"body": make_body("Hi")}]}),
    ],
)
async def test_a_dry_run_sends_nothing_and_says_what_is_within_bounds(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, Any]
) -> None:
    found = await estimate(client, tool, **arguments)

    assert not sandbox.requests
    assert 0 < found["cost_usd"]["min"] <= found["cost_usd"]["max"]
    assert any("List prices" in sentence for sentence in found["basis"])


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mistral_speak", {"text": "Bonjour !"}),
        ("mistral_embed", {"inputs": ["one and two", "trois et quatre"] * 400}),
    ],
)
async def test_the_real_cost_is_within_the_bounds(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    found = await estimate(client, tool, **arguments)
    real = await client.call_tool(tool, arguments)

    assert found["cost_usd"]["min"] <= real.structured_content["usage"]["cost_usd"] <= found["cost_usd"]["max"]


async def test_models_are_compared_within_the_sum_of_their_bounds(client: Client) -> None:
    asked = {"models": [MODEL, "mistral-large-latest"], "prompt": "Name four colours", "max_tokens": 50}

    found = await estimate(client, "mistral_compare", **asked)
    real = await client.call_tool("mistral_compare", asked)

    assert [part["model"] for part in found["parts"]] == asked["models"]
    assert found["parts"][0]["units"]["completion_tokens"]["max"] == 50
    assert found["cost_usd"]["min"] <= real.structured_content["total_cost_usd"] <= found["cost_usd"]["max"]


async def test_without_max_tokens_an_answer_may_fill_the_context(client: Client) -> None:
    found = await estimate(client, "mistral_compare", models=[MODEL, MODEL], prompt="Hello")

    assert found["parts"][0]["units"]["completion_tokens"]["max"] == pytest.approx(262_144, abs=10)
    assert any("max_tokens" in sentence for sentence in found["basis"])


async def test_images_among_the_messages_may_fill_the_context(client: Client) -> None:
    image = {"type": "image_url", "image_url": "https://example.com/a.png"}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]

    found = await estimate(client, "mistral_compare", models=[MODEL, MODEL], messages=messages, max_tokens=5)

    assert found["parts"][0]["units"]["prompt_tokens"]["max"] == 262_144


async def test_the_pages_of_a_document_are_counted_in_its_bytes(client: Client, sandbox: Sandbox) -> None:
    found = await estimate(client, "mistral_ocr", document="report.pdf")

    assert found["units"]["pages"] == {"min": 8, "max": 300}
    assert found["cost_usd"] == {"min": 0.032, "max": 1.2}
    assert any("300 pages cost $1.2" in sentence for sentence in found["basis"])
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("arguments", "pages", "cost"),
    [
        ({"document": as_url(pdf(5))}, 5, 0.02),
        ({"document": as_url(pdf(300)), "pages": "0-3,299,300-310"}, 5, 0.02),
        ({"document": as_url(pdf(5)), "figures": True}, 5, 0.025),
        ({"document": as_url(pdf(300)), "json_schema": {"type": "object"}}, 300, 1.5),
        ({"document": as_url(slides(7), "application/vnd.ms-powerpoint")}, 7, 0.028),
        ({"document": "https://example.com/photo.png"}, 1, 0.004),
    ],
)
async def test_known_pages_have_one_price(
    client: Client, arguments: dict[str, Any], pages: int, cost: float
) -> None:
    found = await estimate(client, "mistral_ocr", **arguments)

    assert found["units"]["pages"] == {"min": pages, "max": pages}
    assert found["cost_usd"] == {"min": cost, "max": cost}
    assert "unknown" not in found


async def test_a_document_at_a_web_address_is_not_fetched_and_its_length_is_said_to_be_unknown(
    client: Client, sandbox: Sandbox
) -> None:
    found = await estimate(client, "mistral_ocr", document="https://example.com/report.pdf", pages="0-19")

    assert found["units"]["pages"] == {"min": 0, "max": 20}
    assert found["cost_usd"] == {"min": 0, "max": 0.08}
    assert "not fetched" in found["unknown"][0]
    assert not sandbox.requests


async def test_a_file_at_mistral_is_looked_into(client: Client, sandbox: Sandbox) -> None:
    document = await upload(client, "report.pdf", "ocr", pdf(9))
    recording = await upload(client, "talk.wav", "audio", wav(30))
    sandbox.requests.clear()

    pages = await estimate(client, "mistral_ocr", document=document)
    minutes = await estimate(client, "mistral_transcribe", file_id=recording)

    assert pages["units"]["pages"] == {"min": 8, "max": 9}
    assert minutes["units"]["minutes"] == {"min": 0.5, "max": 0.5}
    assert {request.path.split("/")[2] for request in sandbox.requests} == {"files"}


async def test_a_recording_tells_its_minutes_and_an_address_does_not(client: Client) -> None:
    known = await estimate(client, "mistral_transcribe", path="talk.wav")
    unknown = await estimate(client, "mistral_transcribe", url="https://example.com/talk.mp3")

    assert known["units"]["minutes"] == {"min": 1.5, "max": 1.5}
    assert known["cost_usd"] == {"min": 0.00525, "max": 0.00525}
    assert unknown["cost_usd"] == {"min": 0, "max": None}
    assert "how long the recording is" in unknown["unknown"][0]


async def test_a_model_without_a_price_has_a_cost_that_is_unknown(client: Client) -> None:
    found = await estimate(client, "mistral_speak", text="Hi", model="voxtral-of-tomorrow")

    assert found["cost_usd"] == {"min": None, "max": None}
    assert found["units"]["characters"] == {"min": 2, "max": 2}
    assert "no price of voxtral-of-tomorrow" in found["basis"][-1]


async def test_a_batch_is_counted_row_by_row_at_half_the_price(client: Client, sandbox: Sandbox) -> None:
    rows = [{"body": make_body("Hello there", max_tokens=10)} for _ in range(100)]

    batch = await estimate(client, "mistral_create_batch_job", endpoint=CHAT, model=MODEL, requests=rows)
    single = await estimate(
        client, "mistral_compare", models=[MODEL, MODEL], messages=rows[0]["body"]["messages"], max_tokens=10
    )

    assert batch["units"]["rows"] == {"min": 100, "max": 100}
    assert batch["units"]["completion_tokens"] == {"min": 100, "max": 1_000}
    assert batch["cost_usd"]["max"] == pytest.approx(100 * single["parts"][0]["cost_usd"]["max"] / 2)
    assert not sandbox.requests


async def test_the_rows_of_a_file_are_counted_by_model(client: Client) -> None:
    rows = [{"custom_id": str(n), "body": make_body("Hi", max_tokens=5)} for n in range(40)]
    content = "\n".join(map(json.dumps, rows)).encode()
    file_id = await upload(client, "rows.jsonl", "batch", content)

    found = await estimate(client, "mistral_create_batch_job", endpoint=CHAT, model=MODEL, input_files=[file_id])

    assert found["units"]["rows"] == {"min": 40, "max": 40}
    assert found["units"]["completion_tokens"]["max"] == 200


@pytest.mark.parametrize(
    ("endpoint", "body", "units", "most"),
    [
        ("/v1/ocr", {"document": {"type": "document_url", "document_url": as_url(pdf(6))}}, {"pages": 6}, 0.012),
        ("/v1/ocr", {"document": {"type": "file", "file_id": "x"}, "pages": "0-9"}, {"pages": 10}, 0.02),
        ("/v1/audio/transcriptions", {"file_url": "https://example.com/a.mp3"}, {"minutes": None}, None),
        ("/v1/conversations", {"inputs": "Hi"}, {}, None),
    ],
)
async def test_a_row_is_counted_as_its_endpoint_counts(
    client: Client, endpoint: str, body: dict[str, Any], units: dict[str, Any], most: float | None
) -> None:
    model = {"/v1/ocr": "mistral-ocr-latest"}.get(endpoint, "voxtral-mini-latest")

    found = await estimate(
        client, "mistral_create_batch_job", endpoint=endpoint, model=model, requests=[{"body": body}]
    )

    assert {unit: found["units"][unit]["max"] for unit in units} == units
    assert found["cost_usd"]["max"] == most
    assert most is not None or found["unknown"]


async def test_embeddings_and_moderations_of_a_batch_are_priced_by_their_inputs(client: Client) -> None:
    rows = [{"body": {"input": ["a few words", "and more"]}}]

    embeddings = await estimate(
        client, "mistral_create_batch_job", endpoint="/v1/embeddings", model="mistral-embed", requests=rows
    )
    moderations = await estimate(
        client,
        "mistral_create_batch_job",
        endpoint="/v1/chat/moderations",
        model="mistral-moderation-latest",
        requests=[{"body": {"input": [{"role": "user", "content": "Hello"}]}}],
    )

    assert embeddings["units"]["prompt_tokens"]["min"] == 5
    assert embeddings["cost_usd"]["max"] > 0
    assert moderations["units"]["prompt_tokens"]["min"] == 1
    assert moderations["cost_usd"] == {"min": 0, "max": 0}


async def test_over_http_the_estimate_fits_the_published_schema(mistral_url: str) -> None:
    async with connect_over_http(mistral_url, toolsets=TOOLSETS) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        found = await estimate(client, "mistral_ocr", document=as_url(pdf(2)))

    assert found.keys() <= tools["mistral_ocr"].output_schema["properties"].keys()
    assert found["cost_usd"] == {"min": 0.008, "max": 0.008}
