"""The agents of one key, with their versions and aliases."""

from dataclasses import dataclass, field
from typing import Any

from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.errors import detail_error
from mistral_mcp.sandbox.state.store import Store


@dataclass
class Agent:
    """An agent. Each change creates a new version. An alias is a name for a version."""

    id: str
    versions: list[dict[str, Any]]
    current: int = 0
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    created_at: str = field(default_factory=iso_time)

    def settings(self, version: int | str | None = None) -> dict[str, Any]:
        """The agent's settings in this version or alias; None is the current version. 404 if there is no such version."""
        return self.versions[self.resolve_version(version)]

    def resolve_version(self, version: int | str | None) -> int:
        """The number of a version, which callers give as a number or an alias. 404 if there is no such version."""
        if isinstance(version, str) and version in self.aliases:
            return int(self.aliases[version]["version"])
        if version is None:
            return self.current
        written = str(version)
        if not written.isdecimal() or int(written) >= len(self.versions):
            raise detail_error(404, "Agent version not found")
        return int(written)

    def change(self, changes: dict[str, Any]) -> None:
        """Add a version with these changes, and make it the current one."""
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
        number = self.resolve_version(version)
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
