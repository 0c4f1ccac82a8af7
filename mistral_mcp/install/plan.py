"""The plan of an installation: client, file, name and entry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mistral_mcp.errors import BadSetting
from mistral_mcp.install import documents
from mistral_mcp.install.entries import Entry, is_secret_url
from mistral_mcp.install.hosts import HOSTS, NAME, Host, Scope, remote_entry, stdio_entry
from mistral_mcp.install.machine import Machine
from mistral_mcp.route import LOOPBACK

PLACEHOLDER = "YOUR_MISTRAL_API_KEY"
PREFIX = "MISTRAL_MCP_"

_IN_A_URL = ("toolsets", "read_only")


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """An installation to do. Created by `plan`, which refuses invalid combinations."""

    host: Host
    file: Path
    command: tuple[str, ...]
    name: str = NAME
    url: str | None = None
    scope: Scope = "user"
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings of the server that go into the entry, by name, as text."""
    host_found: bool = True
    """Whether the client seems to be installed on this machine."""

    @property
    def reference(self) -> str | None:
        """The client's syntax for the key from the environment."""
        if self.url is None:
            return self.host.stdio_reference
        return self.host.remote_reference

    @property
    def takes_key(self) -> bool:
        """Whether the entry needs a key; a secret URL does not."""
        return self.url is None or not is_secret_url(self.url)

    @property
    def must_ask(self) -> bool:
        """Whether to ask for the key, because the client has no references to the environment."""
        return self.takes_key and self.reference is None

    def entry(self, key: str | None = None) -> Entry:
        """The entry, with the key or with the host's reference to one."""
        if self.url is not None:
            return remote_entry(self.host.name, self.url, key=key)
        variables = {PREFIX + name.upper(): value for name, value in self.settings.items()}
        return stdio_entry(self.host.name, command=self.command, key=key, variables=variables)

    def example(self) -> Entry:
        """The entry with a placeholder where a key would be."""
        if self.must_ask:
            return self.entry(PLACEHOLDER)
        return self.entry()

    def preview(self) -> str:
        """A file with this entry alone, and a placeholder where a key would be."""
        return documents.render(self.host, self.name, self.example())


def plan(
    machine: Machine,
    host: str,
    *,
    name: str = NAME,
    url: str | None = None,
    scope: Scope = "user",
    settings: Mapping[str, str] | None = None,
) -> InstallPlan:
    """Validate the options. Raises `BadSetting`."""
    found = HOSTS[host]
    settings = settings or {}
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        raise BadSetting("--name must be a letter, then letters, digits, - and _.")
    if url is not None:
        _check_url(url)
        url = _with_query(url, settings)
    if scope == "project":
        return _project_plan(machine, found, name, url, settings)
    file = found.file(machine)
    return InstallPlan(found, file, machine.command, name, url, scope, settings, _is_present(machine, found, file))


def _project_plan(
    machine: Machine, host: Host, name: str, url: str | None, settings: Mapping[str, str]
) -> InstallPlan:
    if host.project is None:
        raise BadSetting(f"{host.title} has no servers for a project.", "Leave --scope out.")
    file = machine.project / host.project
    planned = InstallPlan(host, file, machine.portable_command, name, url, "project", settings)
    if planned.must_ask:
        raise BadSetting(
            f"A project's file is shared, and {host.title} can only take a key written into it.",
            "Leave --scope out.",
        )
    if url is not None and is_secret_url(url):
        raise BadSetting("A project's file is shared, and this URL is a secret.", "Leave --scope out.")
    if Path(settings.get("files_dir", "")).is_absolute():
        raise BadSetting(
            "A project's file is shared, and --files-dir names a folder of this machine.",
            "Give a folder within the project, such as docs.",
        )
    return planned


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.path.rstrip("/").endswith("/mcp"):
        raise BadSetting("--url must be the URL of an MCP endpoint, https://host/mcp or https://host/c/TOKEN/mcp.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise BadSetting(
            "--url: http:// is for this machine only, because the key would be sent unencrypted.", "Use https://."
        )
    if parts.username or parts.password:
        raise BadSetting("--url must hold no user and no password.")


def _with_query(url: str, settings: Mapping[str, str]) -> str:
    """The URL with the settings that a remote server reads from it. Raises `BadSetting` for others."""
    for name in settings:
        if name not in _IN_A_URL:
            flag = "--" + name.replace("_", "-")
            raise BadSetting(f"{flag} is for a server on this machine; the one behind --url has its own.")
    parts = urlsplit(url)
    query = urlencode({**dict(parse_qsl(parts.query)), **settings}, safe=",")
    return urlunsplit(parts._replace(query=query))


def _is_present(machine: Machine, host: Host, file: Path) -> bool:
    """Whether the client's command, its file or the file's folder exists."""
    folder = file.parent
    if file.exists() or (folder.exists() and folder != machine.home):
        return True
    return machine.find_program(host.program) is not None
