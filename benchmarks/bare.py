"""The baseline without a server: a client that calls the upstream directly, and parses the answers as a server must.

Reads lines of JSON, `{"streams": 8, "chunks": 500, "gap": 2}` or `{"inputs": 3000}`, and writes the usage of each task.
"""

import asyncio
import base64
import json
import sys
import time
from array import array
from dataclasses import dataclass

import httpx2
from pydantic import BaseModel

from benchmarks.wire import KEY, question


class Task(BaseModel):
    """Streams of `chunks` chunks, `gap` milliseconds apart; or one embedding of `inputs` texts."""

    streams: int = 0
    chunks: int = 0
    gap: int = 0
    inputs: int = 0


class Usage(BaseModel):
    cpu_seconds: float
    seconds: float


@dataclass(frozen=True)
class Client:
    http: httpx2.AsyncClient
    upstream: str

    async def stream(self, task: Task) -> int:
        """Read a stream, and return the length of its text."""
        body = question(f"stream {task.chunks} {task.gap}") | {"stream": True}
        text = ""
        async with self.http.stream("POST", f"{self.upstream}/v1/chat/completions", json=body) as response:
            async for event in httpx2.EventSource(response):
                if event.data != "[DONE]":
                    text += json.loads(event.data)["choices"][0]["delta"]["content"]
        return len(text)

    async def embed(self, inputs: int) -> None:
        """Send the inputs in as many requests as our server does, eight at once."""
        parts = asyncio.Semaphore(8)

        async def part(start: int) -> "list[array[float]]":  # quoted: no parameter at run time
            texts = [f"text {number}" for number in range(start, min(start + 128, inputs))]
            body = {"model": "mistral-embed", "input": texts, "encoding_format": "base64"}
            async with parts:
                response = await self.http.post(f"{self.upstream}/v1/embeddings", json=body)
                return [array("f", base64.b64decode(row["embedding"])) for row in response.json()["data"]]

        await asyncio.gather(*(part(start) for start in range(0, inputs, 128)))

    async def do(self, task: Task) -> Usage:
        used, began = time.process_time(), time.perf_counter()
        if task.inputs:
            await self.embed(task.inputs)
        else:
            await asyncio.gather(*(self.stream(task) for _ in range(task.streams)))
        return Usage(cpu_seconds=time.process_time() - used, seconds=time.perf_counter() - began)


async def main(upstream: str) -> None:
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=60) as http:
        client = Client(http, upstream)
        for line in sys.stdin:
            print((await client.do(Task.model_validate_json(line))).model_dump_json(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
