"""Who may import whom, and what no module may do. The map of the rooms is in CONTRIBUTING.md."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from subprocess import PIPE

import pytest

import mistral_mcp

PACKAGE = Path(mistral_mcp.__file__).parent

GROUND = {"errors", "masking", "suggest", "route", "network", "settings", "bounds"}
OFFERED = {
    *GROUND,
    "json_schema",
    "local_files",
    "mistral",
    "credentials",
    "usage",
    "kept_results",
    "upload_links",
    "operations",
    "tools",
}
CORE = {*OFFERED, "selection", "resources", "prompts", "skills", "instructions", "server"}

# Each room, and the rooms it may import beside itself: those to its left, in the order of CONTRIBUTING.md.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "masking": {"errors"},
    "logs": {"masking"},
    "suggest": set(),
    "route": set(),
    "network": {"errors"},
    "settings": {"errors", "masking", "route", "network"},
    "bounds": set(),
    "json_schema": GROUND,
    "local_files": {*GROUND, "mistral"},
    "mistral": GROUND,
    "credentials": {*GROUND, "mistral"},
    "usage": {*GROUND, "mistral", "credentials"},
    "operations": {*GROUND, "json_schema"},
    "kept_results": {*GROUND, "mistral", "credentials"},
    "upload_links": {*GROUND, "mistral", "credentials", "kept_results"},
    "tools": OFFERED - {"tools"},
    "selection": OFFERED,
    "resources": {*OFFERED, "selection"},
    "prompts": {*OFFERED, "selection", "resources"},
    "skills": set(),
    "instructions": set(),
    "json_rpc": {"bounds"},
    "stdio": {"json_rpc"},
    "monitoring": {*OFFERED, "logs"},
    "server": CORE - {"server"} | {"stdio", "monitoring"},
    "http": {*CORE, "json_rpc"},
    "install": {*CORE, "http"},
    "sandbox": set(),  # the other side of the wire: it must not share our mistakes
    "hosting": {*CORE, "http", "install", "logs"},
    "cli": {*CORE, "http", "install", "sandbox", "logs", "hosting"},
    "__init__": {"server", "settings"},
    "__main__": {"cli"},
}

# Inside a room: each of its folders and files, and the ones it may import beside itself. What is not named may import all.
INSIDE: dict[str, dict[str, set[str]]] = {
    "mistral": {
        "client": {
            "call",
            "catalog",
            "consumption",
            "deadline",
            "event_stream",
            "failures",
            "progress",
            "quoting",
            "recent_reads",
            "requests",
            "transports",
        },
        "requests": {"call", "transports"},
        "deadline": set(),
        "recent_reads": {"transports"},
        "stream": {"call", "client", "progress"},
        "event_stream": {"transports"},
        "transports": {"failures", "error_bodies", "retry_after", "progress", "multipart"},
        "failures": {"failure_messages", "error_bodies", "retry_after", "quoting", "transports"},
        "multipart": {"call"},
        "call": {"consumption"},
        "consumption": {"catalog"},
    },
    "tools": {"framework": set()},
    "hosting": {
        "usage": {"commands", "vault"},
        "web": {"oauth", "usage", "vault", "monitoring"},
        "oauth": {"vault"},
        "vault": set(),
        "monitoring": set(),
        "commands": {"vault", "monitoring"},
    },
    "sandbox": {
        "endpoints": {"answers", "state", "protocol"},
        "answers": {"protocol"},
        "state": {"protocol"},
        "protocol": set(),
    },
}

# Libraries that would bring a room knowledge it should not have.
MUST_NOT_IMPORT: dict[str, set[str]] = {
    "errors": {"mcp", "mcp_types", "httpx2", "starlette", "click"},
    "masking": {"mcp", "mcp_types", "httpx2", "starlette", "click"},
    "settings": {"mcp", "mcp_types", "httpx2", "starlette", "click"},
    "mistral": {"mcp", "mcp_types", "starlette", "click"},
    "credentials": {"mcp", "mcp_types", "httpx2", "click"},
    "tools": {"httpx2", "starlette", "click"},
    "server": {"click"},
    "sandbox": {"mcp", "mcp_types", "click"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every dotted name that a module imports, also inside functions and for type checkers only."""
    for node in ast.walk(parse_file(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}:{node.lineno} imports relatively"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def parse_file(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_room_has_its_place_in_the_order():
    assert {room_of(path) for path in MODULES} <= set(MAY_IMPORT)


@every_module
def test_no_import_runs_uphill(path: Path):
    room = room_of(path)
    allowed = MAY_IMPORT[room] | {room, "__version__"}
    uphill = [
        f"{name_of(path)}:{line} imports {name}"
        for name, line in imports(path)
        if name.startswith("mistral_mcp.") and name.split(".")[1] not in allowed
    ]
    assert not uphill


@every_module
def test_no_import_runs_uphill_inside_a_room(path: Path):
    room, part, *_ = [*path.relative_to(PACKAGE).with_suffix("").parts, ""]
    if part not in INSIDE.get(room, {}):
        return
    allowed = {*INSIDE[room][part], part}
    inside = [
        (name.split(".")[2], line) for name, line in imports(path) if name.startswith(f"mistral_mcp.{room}.")
    ]
    assert not [f"{name_of(path)}:{line} imports {name}" for name, line in inside if name not in allowed]


@every_module
def test_nothing_private_is_imported(path: Path):
    private = [
        f"{name_of(path)}:{line} imports {name}"
        for name, line in imports(path)
        if name.startswith("mistral_mcp.") and any(re.match("_[^_]", part) for part in name.split("."))
    ]
    assert not private


def test_no_files_import_each_other_in_a_circle():
    modules = {dotted_name(path): path for path in MODULES if path.name != "__init__.py"}
    graph = {name: {to for to in map(module_of, imports(path)) if to in modules} for name, path in modules.items()}
    TopologicalSorter(graph).prepare()  # CycleError names the files


def dotted_name(path: Path) -> str:
    return ".".join(["mistral_mcp", *path.relative_to(PACKAGE).with_suffix("").parts])


MODULE_NAMES = {dotted_name(path) for path in MODULES}


def module_of(imported: tuple[str, int]) -> str:
    """The file that a dotted name stands in: what is imported may be the file, or a name in it."""
    name = imported[0]
    if name in MODULE_NAMES:
        return name
    return name.rpartition(".")[0]


@every_module
def test_no_room_imports_a_library_it_should_not_know_of(path: Path):
    refused = MUST_NOT_IMPORT.get(room_of(path), set())
    known = [
        f"{name_of(path)}:{line} imports {name}" for name, line in imports(path) if name.split(".")[0] in refused
    ]
    assert not known


@every_module
def test_only_the_command_line_reads_the_environment(path: Path):
    reading = {"environ", "environb", "getenv", "getenvb", "getproxies", "getproxies_environment"}
    found = [
        f"{name_of(path)}:{node.lineno} uses {ast.unparse(node)}"
        for node in ast.walk(parse_file(path))
        if (isinstance(node, ast.Attribute) and node.attr in reading)
        or (isinstance(node, ast.alias) and node.name in reading)
    ]
    assert not found or room_of(path) == "cli"


# Run where nothing of the test run is loaded, importing everything but the command that starts on import.
IMPORT_ALL = """
import gc, importlib, logging, os, pkgutil, sys

class Untouched(type(os.environ)):
    def __getitem__(self, name):
        caller = sys._getframe(1)
        while caller.f_globals["__name__"] in {"os", "_collections_abc"}:
            caller = caller.f_back
        assert not caller.f_globals["__name__"].startswith("mistral_mcp"), f"{name} is read on import"
        return super().__getitem__(name)

os.environ.__class__ = Untouched
import mistral_mcp
for module in pkgutil.walk_packages(mistral_mcp.__path__, "mistral_mcp."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert not logging.root.handlers, "logging is configured on import"
built = {type(thing).__name__ for thing in gc.get_objects()}
assert not built & {"AsyncClient", "AsyncHTTPTransport", "ClientSession"}, "a client is built on import"
"""


def test_importing_does_nothing():
    assert run(IMPORT_ALL) == ""


# What each start must do without. The SDK itself brings uvicorn, click and cryptography.
PAGES = {"jinja2", "mistral_mcp.hosting.web.pages"}
POSTGRES = {"psycopg", "sqlalchemy.dialects.postgresql"}
MIGRATIONS = {"alembic", "mako"}
VAULT = {"sqlalchemy", "prometheus_client", "redis", "mistral_mcp.hosting", *PAGES, *POSTGRES, *MIGRATIONS}
FILES = {"tomlkit", "ruamel"}
UNUSUAL = {"difflib", "tomllib"}  # for mistakes and pages
SCHEMAS = {"jsonschema", "jsonschema_rs", "referencing"}
COMMANDS = {"mistral_mcp.install", "mistral_mcp.sandbox", "mistral_mcp.cli.checks", "mistral_mcp.cli.tour", *FILES}
NOT_SELECTED = {
    "mistral_mcp.operations",
    "mistral_mcp.tools.agents",
    "mistral_mcp.tools.batch",
    "mistral_mcp.mistral.api.fine_tuning",
}

SERVING = {"mistral_mcp.http.app", "aiohttp"}

COMMAND_LINE = "import mistral_mcp.cli.main"
STDIO = "from mistral_mcp.cli.main import main; main([], standalone_mode=False)"  # is asked for its tools
SERVE = """
import gc, ssl, sys, tempfile
import anyio
import mistral_mcp.http.uvicorn_server as uvicorn_server
from mistral_mcp.cli.main import main

MOST = ssl.create_default_context().cert_store_stats()["x509"]

def run(app, settings):
    gc.unfreeze()
    assert gc.collect() < 1000, "garbage of the start is kept"
    loaded = [made for made in gc.get_objects() if isinstance(made, ssl.SSLContext) and made.cert_store_stats()["x509"]]
    assert not loaded, "certificates are loaded before they are needed"
    assert ssl.create_default_context().cert_store_stats()["x509"] == MOST, "the start hid the system's certificates"
    async def started():
        async with app.router.lifespan_context(app):
            pass
    anyio.run(started)

uvicorn_server.run = run  # which would wait for clients
with tempfile.TemporaryDirectory() as folder:
    main(["serve", "--data-dir", folder, "--log-level", "ERROR"], standalone_mode=False)
"""
CORE_ALONE = f"import sys; sys.modules['sqlalchemy'] = None  # as where it is not installed\n{SERVE}"

HELLO = """
{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, \
"clientInfo": {"name": "test", "version": "1"}}}
{"jsonrpc": "2.0", "method": "notifications/initialized"}
{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
"""


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        (COMMAND_LINE, {"mcp", "httpx2", "starlette", "uvicorn", "rich", *SERVING, *VAULT, *COMMANDS, *SCHEMAS}),
        (STDIO, {"rich", *SERVING, *VAULT, *COMMANDS, *SCHEMAS, *NOT_SELECTED}),
        (CORE_ALONE, {"rich", *UNUSUAL, *VAULT, *COMMANDS, *SCHEMAS, *NOT_SELECTED}),
        (SERVE, {"rich", "redis", "jinja2", *UNUSUAL, *POSTGRES, *MIGRATIONS, *COMMANDS, *SCHEMAS, *NOT_SELECTED}),
    ],
    ids=["command_line", "stdio", "serve_without_a_vault", "serve"],
)
def test_a_start_imports_only_what_it_needs(program: str, unwanted: set[str]):
    asked = {"given": HELLO, "answers": 2} if program == STDIO else {}
    list_modules = "import sys; print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)"
    told = run(f"{program}\n{list_modules}", **asked)
    assert not unwanted.intersection(told.split())


def run(program: str, given: str = "", *, answers: int = 0) -> str:
    """In a process of its own, where nothing of the test run is loaded. Gives what it writes to stderr."""
    command = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:  # noqa: S603
        assert process.stdin
        assert process.stdout
        process.stdin.write(given)
        process.stdin.flush()
        for _ in range(answers):
            assert '"result"' in process.stdout.readline()
        _, told = process.communicate()
    assert process.returncode == 0, told
    return told
