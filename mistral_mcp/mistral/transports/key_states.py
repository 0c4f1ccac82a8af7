"""The state of each key: its slots, and the limits learned for it. Bounded per process."""

import hashlib
import secrets
from collections.abc import Callable

import anyio
from cachetools import LRUCache, TTLCache

from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.mistral.transports.windows import Window

_REMEMBERED = 16_384  # keys and their models together, of some 3 kB each; the least recently used are evicted
_MODELS = 64  # of one key
MODEL_NAME = 100  # characters of a model's name, which callers choose freely
_IDLE = 900.0  # seconds after which a key is forgotten; no request lasts as long

_OFTEN = 30.0  # seconds

Windows = dict[tuple[str, float], Window]


class ModelQueue:
    """One key's calls to one model."""

    __slots__ = ("paused_until", "queue", "windows")

    def __init__(self, now: float) -> None:
        self.paused_until = now
        self.queue: dict[int, int] = {}  # tokens of each request that waits for a window, in order
        self.windows: Windows = {("req", 60.0): Window(60, cost=1), ("tokens", 60.0): Window(60)}


class KeyState:
    """The state of one key. No call waits here for another key's."""

    __slots__ = (
        "connections",
        "model_queues",
        "remembered",
        "shared_name",
        "slot_seconds",
        "slots",
        "waiting",
        "windows",
    )

    def __init__(self, slots: int, windows: Windows, shared_name: str) -> None:
        self.slots = anyio.Semaphore(slots, fast_acquire=True)
        self.connections = 0
        self.slot_seconds = 1.0  # moving average of seconds a slot is held
        self.waiting = 0
        self.windows = windows
        self.model_queues: LRUCache[str, ModelQueue] = LRUCache(_MODELS)
        self.shared_name = shared_name
        self.remembered: tuple[float, int] = (0.0, 0)
        """When it was last put among those that are remembered, and with what size."""

    def model_queue(self, model: str, now: float) -> ModelQueue:
        name = model[:MODEL_NAME]
        queue = self.model_queues.get(name)
        if queue is None:
            queue = self.model_queues[name] = ModelQueue(now)
        return queue

    def release_slot(self, seconds: float) -> None:
        self.slot_seconds += (seconds - self.slot_seconds) / 8
        self.slots.release()


class KeyStates:
    """The states of recently used keys, by digests that do not reveal them."""

    def __init__(self, slots: int, build_windows: Callable[[], Windows], timer: Callable[[], float]) -> None:
        self._slots = slots
        self._build_windows = build_windows
        self._timer = timer
        self._salt = secrets.token_bytes(16)
        self.states: TTLCache[bytes, KeyState] = TTLCache(_REMEMBERED, _IDLE, timer, getsizeof=_size)

    def of(self, caller: Caller) -> KeyState:
        """The state of a caller's key. Regions count apart at Mistral, so the kind of route belongs to the key."""
        secret = caller.key or caller.route_token
        text = secret.get_secret_value() if secret else ""
        name = f"{caller.route.kind} {text}".encode()
        digest = hashlib.blake2b(name, key=self._salt, digest_size=16).digest()
        state = self.states.get(digest)
        if state is None:
            shared_name = hashlib.sha256(b"mistral-mcp pace " + name).hexdigest()[:32]
            state = KeyState(self._slots, self._build_windows(), shared_name)
        self._remember(digest, state)
        return state

    def _remember(self, digest: bytes, state: KeyState) -> None:
        """As used now, and as large as it is now; often enough for the least recently used to be known."""
        now, size = self._timer(), _size(state)
        since, known_size = state.remembered
        if size != known_size or now - since > _OFTEN:
            self.states[digest] = state
            state.remembered = now, size


def _size(state: KeyState) -> int:
    return 1 + max(len(state.model_queues), 1)  # a new state is about to get its first
