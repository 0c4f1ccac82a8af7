"""The agents of one key, with their versions and the names of versions."""

from dataclasses import dataclass, field
from typing import Any

from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.errors import detail_error
from mistral_mcp.sandbox.state.store import Store


@dataclass
class Agent:
    """An agent. Each change of what it is makes a new version."""

    id: str
    versions: list[dict[str, Any]]
    current: int = 0
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    created_at: str = field(default_factory=iso_time)

    def settings(self, version: int | str | None = None) -> dict[str, Any]:
        """What it is, in this version; an alias will do, and none is the current one. 404 if there is no such version."""
        return self.versions[self.number(version)]

    def number(self, version: int | str | None) -> int:
        """The number behind a version as callers write it."""
        if isinstance(version, str) and version in self.aliases:
            return int(self.aliases[version]["version"])
        if version is None:
            return self.current
        written = str(version)
        if not written.isdecimal() or int(written) >= len(self.versions):
            raise detail_error(404, "Agent version not found")
        return int(written)

    def change(self, changes: dict[str, Any]) -> None:
        """A new version, which is the current one from here on."""
        self.versions.append(
            {
                **self.settings(),
                **changes,
                "updated_at": iso_time(),
            }
        )
        self.current = len(self.versions) - 1

    def card(self, version: int | str | None = None) -> dict[str, Any]:
        """The agent as the API shows it."""
        number = self.number(version)
        return {
            **self.versions[number],
            "object": "agent",
            "id": self.id,
            "version": number,
            "versions": list(range(len(self.versions))),
            "created_at": self.created_at,
            "deployment_chat": False,
            "source": "api",
        }


class Agents(Store[Agent]):
    """All agents of one key."""

    missing = "Agent not found"
