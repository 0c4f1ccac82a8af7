"""What each connection has used since the start: calls, tokens, cost."""

from dataclasses import dataclass

from cachetools import LRUCache

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
        self._spent: LRUCache[str, Spent] = LRUCache(_CONNECTIONS)

    def of(self, caller: Caller) -> Spent:
        digest = caller.digest
        spent = self._spent.get(digest)
        if spent is None:
            spent = self._spent[digest] = Spent()
        return spent
