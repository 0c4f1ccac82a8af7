"""Where one client runs: its home, the programs that it finds, and the endpoint of the server."""

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio

from tests.clients.witness import Log

Door = Literal["stdio", "/mcp", "secret URL", "sign-in"]

KEY = "kEyOfClients0123456789abcdefghij"
PRODUCT = Path(sys.executable).with_name("mistral-mcp")
PATIENCE = 60  # seconds for one command of a client


class Failed(Exception):
    """The client ran, and did not do what it should."""


class NotOffline(Exception):
    """The client cannot be installed, or does nothing without the world outside. `str()` is what it said."""


@dataclass(frozen=True, slots=True)
class Around:
    """What all places share."""

    node_modules: Path
    environments: Path
    """A folder of Python environments, each with the name of the client in it."""
    mistral: str
    """Where the sandbox listens, the simulated Mistral API."""
    model: str
    """Where the stand-in for the hosts' own models listens."""
    token: str
    """A connection's, for who sends it in a header."""
    tools: set[str]
    """What the product says it offers."""

    @property
    def site_packages(self) -> list[Path]:
        return list(self.environments.glob("*/lib/*/site-packages"))

    def python(self, package: str, program: str) -> str:
        """A program from that package's environment."""
        if not any((folder / package).exists() for folder in self.site_packages):
            raise NotOffline(f"pip did not install {package}; see above")
        return str(self.environments / package / "bin" / program)


@dataclass(frozen=True, slots=True)
class Place:
    around: Around
    door: Door
    url: str | None
    """None: over stdio."""
    home: Path
    log: Log
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """Nothing of the user's but the end of PATH."""

    def prepare(self) -> None:
        """A home, with a `mistral-mcp` that starts this server by way of the witness, and the sandbox for Mistral."""
        program = self.program_file
        program.parent.mkdir(parents=True)
        self.project.mkdir()
        witness = f"'{sys.executable}' '{Path(__file__).with_name('witness.py')}' '{self.log.file}' '{PRODUCT}'"
        program.write_text(
            f"#!/bin/sh\n[ $# = 0 ] || exit 64\nexec env MISTRAL_MCP_ROUTE={self.around.mistral} {witness}\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
        self.variables.update(
            PATH=f"{program.parent}:{self.around.node_modules / '.bin'}:{os.environ['PATH']}",
            HOME=str(self.home),
            LANG="C.UTF-8",
            TERM="dumb",
            MISTRAL_API_KEY=KEY,
            NODE_MODULES=str(self.around.node_modules),
        )

    def prepare_browser(self) -> None:
        """What clients open an authorization URL with: Chromium, and a person who agrees."""
        browser = self.home / "bin" / "xdg-open"
        program = Path(__file__).parents[1] / "hosting" / "oauth" / "browser.py"
        browser.write_text(
            f"#!/bin/sh\nexec '{sys.executable}' '{program}' {KEY} \"$1\" >>'{self.browser_log}' 2>&1\n",
            encoding="utf-8",
        )
        browser.chmod(0o755)
        self.variables.update(BROWSER=str(browser))
        del self.variables["MISTRAL_API_KEY"]

    def use_model_for_claude(self) -> None:
        """Claude Code asks the stand-in for its model."""
        self.variables.update(
            ANTHROPIC_BASE_URL=self.around.model,
            ANTHROPIC_API_KEY="pretend",
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            DISABLE_AUTOUPDATER="1",
            ENABLE_TOOL_SEARCH="false",  # the model is offered all tools at once
            MCP_CONNECTION_NONBLOCKING="false",  # and not before the server is up
        )

    @property
    def browser(self) -> str:
        return self.variables["BROWSER"]

    @property
    def browser_log(self) -> Path:
        return self.home / "browser.log"

    @property
    def program_file(self) -> Path:
        return self.home / "bin" / "mistral-mcp"

    @property
    def project(self) -> Path:
        return self.home / "project"

    def server(self, header: str, value: str) -> dict[str, Any]:
        """The server as libraries take it. The header is for /mcp alone."""
        if self.url is None:
            return {"command": str(self.program_file), "args": [], "env": self.variables}
        return {"url": self.url, "headers": {header: value} if self.door == "/mcp" else {}}

    def program(self, name: str) -> str:
        """A program from npm."""
        found = self.around.node_modules / ".bin" / name
        if not found.exists():
            raise NotOffline(f"npm did not install {name}; see above")
        return str(found)

    async def install(self, host: str, answer: str = "") -> None:
        """By the product's own command, as a user does it whose `mistral-mcp` is the one here."""
        where = [] if self.url is None else ["--url", self.url]
        started = (
            f"import sys; sys.argv[0] = {str(self.program_file)!r}; from mistral_mcp.cli.main import main; main()"
        )
        await self.run(sys.executable, "-c", started, "install", host, *where, answer=answer)

    async def run(self, *command: str, answer: str = "", aside: bool = False) -> str:
        """What a command prints, with `aside` on stderr too. `answer` is what it reads."""
        with anyio.move_on_after(PATIENCE):
            done = await anyio.run_process(
                command,
                input=answer.encode(),
                check=False,
                cwd=self.project,
                env=self.variables,
                start_new_session=True,  # no terminal to ask at
            )
            said, besides = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
            if done.returncode:
                raise self.failure(f"{Path(command[0]).name} exits with {done.returncode}: {said}{besides}")
            return said + besides if aside else said
        raise Failed(f"{Path(command[0]).name} takes longer than {PATIENCE} s")

    def failure(self, said: str) -> Failed | NotOffline:
        """What kind it is. Who never came to the server's door, for want of a network or a login, is not offline."""
        outside = _OUTSIDE.search(said) and not self.log.file.exists()
        said = " ".join(said.split())
        return NotOffline(said[:300]) if outside else Failed(said[-600:])


_OUTSIDE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ENETUNREACH|ETIMEDOUT|getaddrinfo|not logged in|please (log|sign) in|native binary not installed",
    re.IGNORECASE,
)
