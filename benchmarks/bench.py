"""What every measurement is given: the upstream, the load generator, how much to do; and the servers to compare."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from benchmarks.plans import Outcome, Plan
from benchmarks.processes import Costs, Lines, Server, free_port, python, running, talking
from benchmarks.wire import INITIALIZE, INITIALIZED, KEY, Era, Json, Target, answer_to, as_bytes, http, keys, mcp

T = TypeVar("T")

CORE = "ours, without hosting"


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    rounds: int = 5
    starts: int = 9
    calls: int = 1_000
    """In each round, at each number of callers."""
    sequential: int = 400
    """In each round, one after the other."""
    load: int = 10_000
    """Before memory is looked at."""
    streams: int = 1_000
    """Open at once."""
    seconds_open: int = 10
    chunks: int = 500
    """A stream, where a chunk's cost is measured."""
    embeddings: int = 3_000
    connections: int = 5_000
    """Stored, where their memory is measured."""
    tenants: int = 300
    calls_each: int = 20


QUICK = Scale(
    rounds=2,
    starts=2,
    calls=200,
    sequential=50,
    load=600,
    streams=150,
    seconds_open=2,
    chunks=100,
    connections=200,
    tenants=50,
    calls_each=5,
)


@dataclass(frozen=True)
class Contender:
    """A server that can be compared: how it is started, and how its chat tool is called."""

    name: str
    stdio: Sequence[str]
    http: Callable[[int], Sequence[str]]
    environment: Mapping[str, str]
    port_variable: str = ""
    """Where the port is not in the command."""
    ready: str = "/"
    tool: str = "mistral_chat"
    arguments: Json = field(default_factory=lambda: {"prompt": "Hello"})
    eras: tuple[Era, ...] = ("2025-11-25", "2026-07-28")
    """Those it speaks; many callers come with the last."""
    own_keys: bool = True
    """Whether a call's key goes out with it; else the server's own does."""
    everything: Mapping[str, str] = field(default_factory=dict[str, str])
    """What to add to the environment for all its tools."""
    slow: int = 1
    """By how much fewer calls it gets, where it needs many times as long for one."""

    def with_everything(self) -> "Contender":
        return replace(self, environment={**self.environment, **self.everything})

    def target(self, port: int, *, era: Era, key: str = KEY) -> Target:
        expect = answer_to(key) if self.own_keys else "Hello there,"
        return mcp(port, self.tool, self.arguments, era=era, key=key, expect=expect)


@dataclass(frozen=True)
class Load:
    """What a plan cost the servers."""

    outcome: Outcome
    cpu_ms: float
    """Per call."""


@dataclass(frozen=True)
class Bench:
    scale: Scale
    folder: Path
    upstream: Server
    generator: Lines
    peers: Sequence[Contender] = ()
    troubles: list[str] = field(default_factory=list[str])
    """What went wrong on the way, for the end of the report."""

    # The servers

    def minimal(self) -> Contender:
        command = python("-m", "benchmarks.minimal", self.upstream.url)
        return Contender("minimal", command, lambda port: [*command, str(port)], {}, own_keys=False)

    def ours(self, name: str = "ours", **settings: object) -> Contender:
        """What `mistral-mcp` and `mistral-mcp serve` are as they come, on this upstream."""
        own = {"route": self.upstream.url, "data_dir": self.new_folder(), "log_level": "WARNING"}
        given = {"trusted_proxies": "127.0.0.1", **own, **settings}  # tenants come from addresses of their own
        environment = {f"MISTRAL_MCP_{name.upper()}": str(value) for name, value in given.items()}
        return Contender(
            name,
            python("-m", "mistral_mcp"),
            lambda port: python("-m", "mistral_mcp", "serve", "--port", str(port)),
            environment | {"MISTRAL_API_KEY": KEY},
            ready="/healthz",
        )

    def core(self) -> Contender:
        """The same without `hosting`."""

        def command(port: int) -> Sequence[str]:
            return python("-m", "benchmarks.core", "serve", "--port", str(port))

        return replace(self.ours(), name=CORE, http=command)

    def new_folder(self) -> Path:
        folder = self.folder / f"data{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return folder

    @asynccontextmanager
    async def serving(self, *contenders: Contender) -> AsyncGenerator[list[Server]]:
        """They listen."""
        async with AsyncExitStack() as stack:
            servers: list[Server] = []
            for contender in contenders:
                port = free_port()
                environment = dict(contender.environment)
                if contender.own_keys:
                    environment.pop("MISTRAL_API_KEY", None)  # for stdio; `serve` would warn of it
                if contender.port_variable:
                    environment[contender.port_variable] = str(port)
                started = running(contender.http(port), environment, port, contender.ready)
                servers.append(await stack.enter_async_context(started))
            yield servers

    # The load

    async def load(self, plan: Plan, *servers: Costs) -> Load:
        """Let the generator do it. The clock, and the servers' processors, are read when every connection is open."""
        await self.generator.say(plan.model_dump_json().encode())
        await self.generator.hear()
        before = sum(server.cpu_seconds() for server in servers)
        await self.generator.say(b"go")
        outcome = Outcome.model_validate_json(await self.generator.hear())
        used = sum(server.cpu_seconds() for server in servers) - before
        self._note(outcome)
        return Load(outcome, used / plan.calls * 1000)

    def _note(self, outcome: Outcome) -> None:
        for error, count in outcome.errors.items():
            self.troubles.append(f"{count} of {outcome.calls} calls failed: {error}")
        if outcome.busy > 0.9:  # noqa: PLR2004 - of one processor
            self.troubles.append(
                f"the generator was busy for {outcome.busy:.0%} of a plan of {outcome.calls} calls"
            )

    def plan(self, contender: Contender, port: int, callers: int, calls: int, *, era: Era = "2026-07-28") -> Plan:
        """The chat tool, each caller with a key of its own where the server lets it."""
        calls = max(callers, calls // contender.slow)
        targets = [contender.target(port, era=era, key=key) for key in keys(callers)]
        return Plan(
            targets=targets, callers=callers, calls=calls, handshake=handshake(port) if era == "2025-11-25" else []
        )


def handshake(port: int) -> list[str]:
    """What a client of 2025 says first. The session, if there is one, is shared: some servers have but one to give."""
    first = {"x-mistral-api-key": KEY}
    later = {**first, "mcp-protocol-version": "2025-11-25"}
    return [
        http(port, "/mcp", as_bytes(INITIALIZE), first, expect="").request,
        http(port, "/mcp", as_bytes(INITIALIZED), later, expect="").request,
    ]


async def interleaved(ways: Mapping[str, Callable[[], Awaitable[T]]], rounds: int) -> dict[str, list[T]]:
    """A B, B A, A B…: a noisy minute hits them all, and none always comes after the same other."""
    found: dict[str, list[T]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in reversed(list(ways)) if number % 2 else list(ways):
            found[name].append(await ways[name]())
    return found


@asynccontextmanager
async def opened(scale: Scale, folder: Path) -> AsyncGenerator[Bench]:
    """The upstream and the generator run."""
    port = free_port()
    async with (
        running(python("-m", "benchmarks.upstream", str(port)), {}, port) as upstream,
        talking(python("-m", "benchmarks.generator"), {}) as generator,
    ):
        yield Bench(scale, folder, upstream, generator)
