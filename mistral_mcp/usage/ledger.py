"""What each connection has used since the start: calls, tokens, cost."""

from dataclasses import dataclass

from cachetools import LRUCache

from mistral_mcp.usage.calls import CallRecord

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

    def of(self, digest: str) -> Spent:
        spent = self._spent.get(digest)
        if spent is None:
            spent = self._spent[digest] = Spent()
        return spent

    def call_ended(self, record: CallRecord) -> None:
        if record.caller_digest is None:
            return
        spent, used = self.of(record.caller_digest), record.used
        spent.calls += 1
        spent.failed += record.outcome == "error"
        spent.prompt_tokens += used.prompt_tokens
        spent.completion_tokens += used.completion_tokens
        spent.cost_usd += used.cost_usd or 0
        spent.unpriced += used.cost_usd is None
