"""The cost of reading large documents, recordings and batches to their ends: `python -m benchmarks.receipts`.

The figures are counted, not timed, and so are the same on every machine. `--write` puts the table into docs/costs.md.
"""

import argparse
import io
import logging
import sys
import tempfile
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp.client import Client
from mcp_types import TextContent

from benchmarks.tokens import count
from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.sandbox import Sandbox, serve_app

DOCUMENT = Path(__file__).parents[1] / "docs" / "costs.md"
BEGIN, END = "<!-- receipts: insert_table by python -m benchmarks.receipts --write -->", "<!-- end of receipts -->"

KEY = "a-key-of-the-sandbox-0123456789ab"
LINE = "The quick brown fox jumps over the lazy dog, and nobody minds at all today."
LINES_OF_PAGE = 40
"""About 3,000 characters, as on a page of a contract."""
HOURS = 3
ROWS = 5_000
CHAT = "/v1/chat/completions"
MODEL = "mistral-small-latest"


@dataclass
class Receipt:
    """What it cost to read a document, recording or batch to its end."""

    what: str
    unit: str
    calls: int = 0
    requests: int = 0
    """HTTP requests to Mistral."""
    units: float = 0
    """Billed units: pages, minutes or rows."""
    tokens: int = 0
    """Tokens of the results' texts, which a model reads."""
    usd: float = 0
    least_usd: float = 0
    """The bounds of the dry run's estimate."""
    most_usd: float = 0

    def row(self) -> str:
        estimate = f"{self.least_usd:.4g} to {self.most_usd:.4g}"
        if self.least_usd == self.most_usd:
            estimate = f"{self.least_usd:.4g}"
        cells = [
            self.what,
            f"{self.calls:,}",
            f"{self.requests:,}",
            f"{self.units:,g} {self.unit}",
            f"{round(self.tokens, -3):,}",  # random handles vary in length by a token
            f"{self.usd:.4g}",
            estimate,
        ]
        return f"| {' | '.join(cells)} |"


@dataclass
class Reader:
    """A client that counts its calls and their cost."""

    client: Client
    sandbox: Sandbox
    folder: Path
    receipt: Receipt = field(default_factory=lambda: Receipt("", ""))

    async def estimate(self, tool: str, **arguments: Any) -> None:
        result = await self.client.call_tool(tool, {**arguments, "dry_run": True})
        cost = result.structured_content["cost_usd"]
        self.receipt.least_usd, self.receipt.most_usd = cost["min"], cost["max"]
        self.sandbox.requests.clear()

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        text = "".join(block.text for block in result.content if isinstance(block, TextContent))
        if result.is_error:
            raise RuntimeError(text)
        self.receipt.calls += 1
        self.receipt.tokens += count(text)
        self.receipt.requests = len(self.sandbox.requests)
        return result.structured_content or {}

    async def read_on(self, kept: dict[str, Any], offset: int) -> None:
        """Read the rest of a kept result."""
        following: int | None = offset
        while following is not None:
            part = await self.call("mistral_read_result", handle=kept["handle"], offset=following, limit=40_000)
            following = part.get("next_offset")


async def read_pdf(reader: Reader, pages: int) -> None:
    """Read without `pages`, then continue with `next_pages` until there are none."""
    reader.receipt = Receipt(f"A PDF of {pages} pages", "pages")
    (reader.folder / "contract.pdf").write_bytes(make_pdf(pages))
    await reader.estimate("mistral_ocr", document="contract.pdf")
    following: str | None = None
    while following is not None or not reader.receipt.calls:
        asked = {"pages": following} if following else {}
        result = await reader.call("mistral_ocr", document="contract.pdf", **asked)
        reader.receipt.units += result["usage"]["pages_processed"]
        reader.receipt.usd += result["usage"]["cost_usd"]
        following = result.get("next_pages")


async def transcribe(reader: Reader, hours: int) -> None:
    """Transcribe once, then read the rest of the kept result."""
    reader.receipt = Receipt(f"A recording of {hours} hours", "minutes")
    (reader.folder / "meeting.wav").write_bytes(make_wav(hours * 3600))
    await reader.estimate("mistral_transcribe", path="meeting.wav")
    result = await reader.call("mistral_transcribe", path="meeting.wav")
    reader.receipt.units = result["usage"]["audio_seconds"] / 60
    reader.receipt.usd = result["usage"]["cost_usd"]
    await reader.read_on(result["kept"], len(result["text"]))


async def run_batch(reader: Reader, rows: int) -> None:
    """Create a job, poll it until it has ended, and read all results."""
    reader.receipt = Receipt(f"A batch of {rows:,} rows", "rows")
    asked = {
        "endpoint": CHAT,
        "model": MODEL,
        "requests": [
            {"body": {"messages": [{"role": "user", "content": f"Translate {number}"}], "max_tokens": 50}}
            for number in range(rows)
        ],
    }
    await reader.estimate("mistral_create_batch_job", **asked)
    job = await reader.call("mistral_create_batch_job", **asked)
    while job["status"] in {"QUEUED", "RUNNING"}:
        job = await reader.call("mistral_get_batch_job", job_id=job["id"])
    page: int | None = 0
    while page is not None:
        result = await reader.call("mistral_get_batch_results", job_id=job["id"], page=page, page_size=100)
        reader.receipt.units += len(result["results"])
        reader.receipt.usd += result["page_usage"]["cost_usd"]
        page = result.get("next_page")


SCENARIOS: dict[str, Callable[[Reader], Awaitable[None]]] = {
    "100 pages": lambda reader: read_pdf(reader, 100),
    "300 pages": lambda reader: read_pdf(reader, 300),
    "3 hours": lambda reader: transcribe(reader, HOURS),
    "5,000 rows": lambda reader: run_batch(reader, ROWS),
}


@asynccontextmanager
async def start_reader() -> AsyncGenerator[Reader]:
    """A reader whose server uses the sandbox in place of Mistral."""
    sandbox = Sandbox()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serve_app(sandbox) as url:
            settings = Settings.model_validate(
                {
                    "route": url,
                    "toolsets": "documents,audio,batch",
                    "files_dir": folder,
                    "output_dir": folder,
                    "log_level": "WARNING",
                }
            )
            async with Client(create_server(settings, from_key(KEY))) as client:
                yield Reader(client, sandbox, folder)


async def receipt(scenario: str) -> Receipt:
    """The receipt of one of `SCENARIOS`."""
    async with start_reader() as reader:
        await SCENARIOS[scenario](reader)
        return reader.receipt


def make_pdf(pages: int) -> bytes:
    """An uncompressed PDF with text on its pages."""
    kids = " ".join(f"{2 * number + 3} 0 R" for number in range(pages))
    parts = [
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        f"2 0 obj\n<< /Type /Pages /Kids [{kids}] /Count {pages} >>\nendobj\n",
    ]
    for number in range(pages):
        text = "\n".join([f"BT (Page {number}) Tj ET", *[f"BT ({LINE}) Tj ET"] * LINES_OF_PAGE])
        parts.append(
            f"{2 * number + 3} 0 obj\n<< /Type /Page /Parent 2 0 R /Contents {2 * number + 4} 0 R >>\nendobj\n"
        )
        parts.append(f"{2 * number + 4} 0 obj\n<< /Length {len(text)} >>\nstream\n{text}\nendstream\nendobj\n")
    return "".join([*parts, "trailer\n<< /Root 1 0 R >>\n%%EOF\n"]).encode()


def make_wav(seconds: int) -> bytes:
    """Silence at 1 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(1_000)
        sound.writeframes(b"\x80" * (1_000 * seconds))
    return buffer.getvalue()


def table(receipts: list[Receipt]) -> str:
    """The receipts as a Markdown table."""
    head = "| read to its end | tool calls | requests to Mistral | paid for | tokens a model reads | USD | a dry run said |"
    return "\n".join([head, "|---" * 7 + "|", *(each.row() for each in receipts)])


def insert_table(document: str, text: str) -> str:
    """The document with its table replaced by this one."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


async def measure() -> list[Receipt]:
    """All receipts."""
    return [await receipt(name) for name in SCENARIOS]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receipts", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/costs.md")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)  # before the SDK configures logging, which would log every request
    text = table(anyio.run(measure))
    print(text)
    if asked.write:
        DOCUMENT.write_text(insert_table(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")
        print(f"insert_table into {DOCUMENT}", file=sys.stderr)


if __name__ == "__main__":
    main()
