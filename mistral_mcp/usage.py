"""What each connection has used since the start: calls, tokens, cost."""

from collections import OrderedDict
from dataclasses import dataclass

from mistral_mcp.mistral.transports.exchange import Caller

_CONNECTIONS = 10_000  # remembered at once; the one unused for longest goes first


@dataclass
class Spent:
    """One connection's sum. Calls of unknown price are counted in `unpriced`."""

    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0


class Ledger:
    """By a digest of the key, and never longer than the process lives."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, Spent] = OrderedDict()

    def of(self, caller: Caller) -> Spent:
        digest = caller.digest
        spent = self._spent.setdefault(digest, Spent())
        self._spent.move_to_end(digest)
        if len(self._spent) > _CONNECTIONS:
            self._spent.popitem(last=False)
        return spent
