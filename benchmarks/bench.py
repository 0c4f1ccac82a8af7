"""What every benchmark needs: the upstream, the load generator, the amount of work, and the servers to compare."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from benchmarks.plans import Outcome, Plan
from benchmarks.processes import Costs, LineProcess, Server, free_port, python, start_process, start_server
from benchmarks.wire import INITIALIZE, INITIALIZED, KEY, Era, Json, Target, answer_to, as_bytes, http, keys, mcp

T = TypeVar("T")

CORE = "ours, without hosting"


@dataclass(frozen=True)
class Scale:
    """The amount of work."""

    rounds: int = 5
    starts: int = 9
    calls: int = 1_000
    """In each round, for each number of callers."""
    sequential: int = 400
    """Calls in each round, one after the other."""
    load: int = 10_000
    """Calls before the memory is measured."""
    streams: int = 1_000
    """Open at the same time."""
    seconds_open: int = 10
    chunks: int = 500
    """In each stream, when the cost of a chunk is measured."""
    embeddings: int = 3_000
    connections: int = 5_000
    """In the vault, when their memory is measured."""
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
    """A server to compare: how it is started, and how its chat tool is called."""

    name: str
    stdio: Sequence[str]
    http: Callable[[int], Sequence[str]]
    environment: Mapping[str, str]
    port_variable: str = ""
    """The environment variable with the port, if the port is not in the command."""
    ready: str = "/"
    tool: str = "mistral_chat"
    arguments: Json = field(default_factory=lambda: {"prompt": "Hello"})
    eras: tuple[Era, ...] = ("2025-11-25", "2026-07-28")
    """Protocol versions that it supports; the last one is used for many callers."""
    own_keys: bool = True
    """Whether it sends the caller's key to the upstream; otherwise it sends its own."""
    all_tools: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables that enable all of its tools."""
    slowdown: int = 1
    """It gets this many times fewer calls, because each takes much longer."""

    def with_all_tools(self) -> "Contender":
        return replace(self, environment={**self.environment, **self.all_tools})

    def target(self, port: int, *, era: Era, key: str = KEY) -> Target:
        expect = answer_to(key) if self.own_keys else "Hello there,"
        return mcp(port, self.tool, self.arguments, era=era, key=key, expect=expect)


@dataclass(frozen=True)
class Load:
    """The outcome of a plan, and the servers' CPU time."""

    outcome: Outcome
    cpu_ms: float
    """Per call."""


@dataclass(frozen=True)
class Bench:
    scale: Scale
    folder: Path
    upstream: Server
    generator: LineProcess
    peers: Sequence[Contender] = ()
    problems: list[str] = field(default_factory=list[str])
    """What went wrong, for the end of the report."""

    # The servers

    def minimal(self) -> Contender:
        command = python("-m", "benchmarks.minimal", self.upstream.url)
        return Contender("minimal", command, lambda port: [*command, str(port)], {}, own_keys=False)

    def ours(self, name: str = "ours", **settings: object) -> Contender:
        """`mistral-mcp` and `mistral-mcp serve` with this upstream, these settings, and otherwise the defaults."""
        own = {"route": self.upstream.url, "data_dir": self.new_folder(), "log_level": "WARNING"}
        given = {"trusted_proxies": "127.0.0.1", **own, **settings}  # each tenant has its own address
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
    async def start_servers(self, *contenders: Contender) -> AsyncGenerator[list[Server]]:
        """Start the servers, and stop them on exit."""
        async with AsyncExitStack() as stack:
            servers: list[Server] = []
            for contender in contenders:
                port = free_port()
                environment = dict(contender.environment)
                if contender.own_keys:
                    environment.pop("MISTRAL_API_KEY", None)  # for stdio only; `serve` would warn about it
                if contender.port_variable:
                    environment[contender.port_variable] = str(port)
                server = start_server(contender.http(port), environment, port, contender.ready)
                servers.append(await stack.enter_async_context(server))
            yield servers

    # The load

    async def load(self, plan: Plan, *servers: Costs, finish: Callable[[], Awaitable[None]] | None = None) -> Load:
        """Let the generator run the plan. Time and CPU time are measured from when all connections are open.

        The CPU time of `finish` is counted too: what the servers do after the last call.
        """
        await self.generator.send_line(plan.model_dump_json().encode())
        await self.generator.read_line()
        before = sum(server.cpu_seconds() for server in servers)
        await self.generator.send_line(b"go")
        outcome = Outcome.model_validate_json(await self.generator.read_line())
        if finish is not None:
            await finish()
        used = sum(server.cpu_seconds() for server in servers) - before
        self._note(outcome)
        return Load(outcome, used / plan.calls * 1000)

    def _note(self, outcome: Outcome) -> None:
        for error, count in outcome.errors.items():
            self.problems.append(f"{count} of {outcome.calls} calls failed: {error}")
        if outcome.busy > 0.9:  # noqa: PLR2004 - of one processor
            self.problems.append(
                f"the generator used {outcome.busy:.0%} of a processor in a plan of {outcome.calls} calls"
            )

    def plan(self, contender: Contender, port: int, callers: int, calls: int, *, era: Era = "2026-07-28") -> Plan:
        """A plan that calls the chat tool; each caller has its own key if the server supports that."""
        calls = max(callers, calls // contender.slowdown)
        targets = [contender.target(port, era=era, key=key) for key in keys(callers)]
        return Plan(
            targets=targets, callers=callers, calls=calls, handshake=handshake(port) if era == "2025-11-25" else []
        )


def handshake(port: int) -> list[str]:
    """The first requests of a client of 2025-11-25. All callers share its session: some servers have only one."""
    first = {"x-mistral-api-key": KEY}
    later = {**first, "mcp-protocol-version": "2025-11-25"}
    return [
        http(port, "/mcp", as_bytes(INITIALIZE), first, expect="").request,
        http(port, "/mcp", as_bytes(INITIALIZED), later, expect="").request,
    ]


async def run_interleaved(ways: Mapping[str, Callable[[], Awaitable[T]]], rounds: int) -> dict[str, list[T]]:
    """Run A B, B A, A B…, so that noise of the machine hits all of them, and none always runs after the same other."""
    found: dict[str, list[T]] = {name: [] for name in ways}
    order = list(ways)
    for _ in range(rounds):
        for name in order:
            found[name].append(await ways[name]())
        order.reverse()
    return found


@asynccontextmanager
async def start_bench(scale: Scale, folder: Path) -> AsyncGenerator[Bench]:
    """Start the upstream and the generator, and stop them on exit."""
    port = free_port()
    async with (
        start_server(python("-m", "benchmarks.upstream", str(port)), {}, port) as upstream,
        start_process(python("-m", "benchmarks.generator"), {}) as generator,
    ):
        yield Bench(scale, folder, upstream, generator)
