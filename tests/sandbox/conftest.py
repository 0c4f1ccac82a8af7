"""The sandbox in process, called directly and through the official SDK."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from mistralai.client import Mistral

from mistral_mcp.sandbox import Sandbox


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of this sandbox, with a key that is good."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=sandbox),
        base_url="http://sandbox",
        headers={"authorization": "Bearer good-key"},
    ) as client:
        yield client


@pytest.fixture(scope="session")
def unused_client() -> httpx2.Client:
    """The synchronous client that the SDK would otherwise make for itself, which means loading certificates each time."""
    return httpx2.Client()


@pytest.fixture
def sdk(api: httpx2.AsyncClient, unused_client: httpx2.Client) -> Mistral:
    """The official client, with that key."""
    return Mistral(
        api_key="good-key", server_url="http://sandbox", async_client=api, client=unused_client, retry_config=None
    )


@pytest.fixture
def stranger(sandbox: Sandbox, unused_client: httpx2.Client) -> Mistral:
    """The official client, with another key."""
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=sandbox), base_url="http://sandbox")
    return Mistral(
        api_key="other-key",
        server_url="http://sandbox",
        async_client=client,
        client=unused_client,
        retry_config=None,
    )


@pytest.fixture
def chat(api: httpx2.AsyncClient):
    """Ask `mistral-small-latest`, in one user turn unless `messages` are given."""

    async def ask(prompt: str = "Hello", **fields: object) -> httpx2.Response:
        body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": prompt}], **fields}
        return await api.post("/v1/chat/completions", json=body)

    return ask


@pytest.fixture
def ask_for_message(chat):
    """Ask, and take the message out of the one choice."""

    async def ask(prompt: str = "Hello", **fields: object) -> dict:
        reply = await chat(prompt, **fields)
        assert reply.status_code == 200, reply.text
        return reply.json()["choices"][0]["message"]

    return ask


@pytest.fixture
def ask_for_error(chat):
    """Ask what is refused, and give status, type, code and message."""

    async def ask(prompt: str = "Hello", **fields: object) -> tuple[int, str, str | None, str]:
        reply = await chat(prompt, **fields)
        body = reply.json()
        assert body["object"] == "error"
        return reply.status_code, body["type"], body["code"], body["message"]

    return ask


@pytest.fixture
def weather() -> dict:
    return {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tell the weather of a city",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["city", "days"],
                "additionalProperties": False,
            },
        },
    }


@pytest.fixture
def currency() -> dict:
    return {
        "type": "function",
        "function": {
            "name": "convert_currency",
            "description": "Exchange an amount of money",
            "parameters": {
                "type": "object",
                "properties": {"amount": {"type": "number"}, "to": {"type": "string", "enum": ["EUR", "USD"]}},
                "required": ["amount", "to"],
            },
        },
    }
