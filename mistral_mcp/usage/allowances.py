"""What processes say to each other of a budget: what each claims, and what it gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mistral_mcp.usage.answer import Limits

SHARE_EXPIRES = 30.0  # seconds after which a share that its process did not renew goes back


class Amount(NamedTuple):
    """Calls, and dollars in ten-billionths."""

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
    """What a process has of a budget, and that it needs more."""

    owner: str
    holder: str
    limits: Limits
    left: Amount
    """Of its share."""
    under_way: Amount
    """Reserved by its calls."""
    unwritten: Amount
    """Of its calls that ended, and that no store has yet."""
    bound: int
    """What the next call costs at most."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What it gets."""

    left: Amount
    """Of its share from now on; less than nothing where all processes together have reserved more than is left."""
    spent: Amount
    """By all processes, as far as it is written."""
    taken: Amount
    """The same with what all of them hold, but for what this one has left."""
    is_near: bool = False
    """Whether this is the first to come near the limit, in this period."""


class AllowanceStore(Protocol):
    """Where all processes see each other's shares. Both raise `VaultUnavailable`."""

    async def take(self, claim: Claim) -> Grant: ...

    async def hold(self, holder: str, held: Mapping[str, Amount]) -> None:
        """Renew the process's shares; those of nothing go back."""
        ...
