"""How processes share a budget: what each claims, and what it is granted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mistral_mcp.usage.answer import Limits

SHARE_EXPIRES = 30.0  # seconds after which a share that its process did not renew is returned


class Amount(NamedTuple):
    """Calls, and cost in ten-billionths of a dollar."""

    calls: int = 0
    cost: int = 0

    def plus(self, other: "Amount") -> "Amount":
        return Amount(self.calls + other.calls, self.cost + other.cost)

    def minus(self, other: "Amount") -> "Amount":
        return Amount(self.calls - other.calls, self.cost - other.cost)

    def positive(self) -> "Amount":
        return Amount(max(self.calls, 0), max(self.cost, 0))


NONE = Amount()


@dataclass(frozen=True, slots=True)
class Claim:
    """A process's request for a further share of a budget."""

    owner: str
    holder: str
    limits: Limits
    left: Amount
    """Left of its share."""
    under_way: Amount
    """Reserved by its running calls."""
    unwritten: Amount
    """Used by its finished calls that no store has yet."""
    bound: int
    """The most that the next call can cost."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a claim."""

    left: Amount
    """The process's share from now on; negative if all processes have reserved more than is left."""
    spent: Amount
    """Spent by all processes, as far as it is written."""
    taken: Amount
    """Spent or held by all processes, without what this one has left."""
    near: Amount | None = None
    """What is used, if this claim is the first of the period to come near the limit."""


class AllowanceStore(Protocol):
    """Stores the shares of all processes. Both methods raise `VaultUnavailable`."""

    async def take(self, claim: Claim) -> Grant: ...

    async def hold(self, holder: str, held: Mapping[str, Amount]) -> None:
        """Renew the process's shares; shares of `NONE` are returned."""
        ...
