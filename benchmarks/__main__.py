"""python -m benchmarks [tokens start calls vault memory]."""

import sys

import anyio

from benchmarks import calls, memory, start, tokens, vault

ALL = {
    "tokens": tokens.measure,
    "start": start.measure,
    "calls": calls.measure,
    "vault": vault.measure,
    "memory": memory.measure,
}


async def main(names: list[str]) -> None:
    for name in names or ALL:
        lines = await ALL[name]()
        print(f"{name}\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)  # noqa: T201 - what it is for


anyio.run(main, sys.argv[1:])
