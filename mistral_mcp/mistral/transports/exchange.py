"""The context of one request on its way through the transports: its policy, and what they record.

It is in `request.extensions["exchange"]`, so that all transports share it.
"""

import hashlib
import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
from pydantic import SecretStr

from mistral_mcp.bounds.memory import Holding, NoRoom
from mistral_mcp.errors import RateLimited
from mistral_mcp.masking import Mask
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.route import Route


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. One per connection; immutable."""

    key: SecretStr | None
    """The Mistral key; None only on a managed route, which needs none."""
    source: str
    """Where the key came from, as errors name it: "MISTRAL_API_KEY", "the X-API-Key header"."""
    route: Route
    route_token: SecretStr | None
    mask: Mask
    is_tenant: bool = False
    """Whether the route is the operator's: tenants must not read its address and account."""

    @classmethod
    def of(
        cls,
        key: SecretStr | None,
        source: str,
        route: Route,
        route_token: SecretStr | None,
        *others: SecretStr,
        is_tenant: bool = False,
    ) -> "Caller":
        """A caller, whose mask knows all their secrets; `others` are masked but never sent."""
        known = [secret.get_secret_value() for secret in (key, route_token, *others) if secret is not None]
        return cls(key, source, route, route_token, Mask(known), is_tenant)

    @property
    def far_end(self) -> str:
        """The other end, as this caller may read it, in the middle of a sentence."""
        if self.is_tenant and self.route.kind == "base":
            return "Mistral"
        return self.route.name

    @property
    def shown_route(self) -> str:
        """The route as this caller may read it."""
        if self.is_tenant:
            return "this server's"
        return str(self.route)

    @property
    def digest(self) -> str:
        """Identifies a caller in per-caller state, and reveals nothing else."""
        secret = self.key or self.route_token
        if secret:
            text = secret.get_secret_value()
        else:
            text = ""
        return hashlib.blake2b(f"{self.route}\0{text}".encode(), key=_SALT, digest_size=16).hexdigest()


_SALT = secrets.token_bytes(16)


class CallMemory(Holding):
    """What one tool call holds of the memory for large replies and files."""

    async def add(self, size: int) -> None:
        """Raises `RateLimited`."""
        try:
            await super().add(size)
        except NoRoom as error:
            seconds = math.ceil(error.seconds)
            raise RateLimited(
                "This is large, and other large replies and files fill the memory of this server for now.",
                f"Try again in {seconds} s.",
                retry_after=seconds,
            ) from None


@dataclass(slots=True)
class Exchange:
    """A request's policy, set by `client`, and its outcome, set by the transports."""

    caller: Caller
    repeatable: bool
    """Whether it may be sent again after a failure that may have reached Mistral."""
    deadline: float
    """By `time.monotonic`, for waits and attempts together."""
    operation: str = ""
    """Method and path template, "GET /v1/files/{file_id}", without ids."""
    max_bytes: int = 64 * 1024 * 1024
    """The largest accepted reply."""
    model: str = ""
    """Mistral's limits are per key and model."""
    tokens: int = 0
    """Estimated input tokens, for pacing."""
    progress: Progress | None = None
    """Set if the caller wants progress."""
    trace: Mapping[str, str] = field(default_factory=dict[str, str])
    """`traceparent` and `tracestate` of the caller's HTTP request, if present."""
    memory: CallMemory | None = None
    """The tool call's, of which a large reply takes a part."""
    memory_held: int = 0
    """Bytes of it."""
    trace_id: str = ""
    """Trace id of its span, 32 hex digits; "" if there is none. Set by `spans`."""
    queued_seconds: float = 0.0
    """Time in the queue. Set by `limits`."""
    attempts: int = 0
    """How often it was sent. Set by `retries`."""
    queued: bool = False
    """Whether it waits in the queue. Set by `limits`."""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative once it has passed."""
        return self.deadline - time.monotonic()

    async def hold_memory(self, size: int) -> None:
        """Hold so many bytes for the reply. Raises `RateLimited`."""
        if self.memory is not None:
            await self.memory.add(size - self.memory_held)
            self.memory_held = size

    def release_memory(self) -> None:
        held, self.memory_held = self.memory_held, 0
        if held and self.memory is not None:
            self.memory.remove(held)

    async def waiting(self, why: str, seconds: float) -> None:
        """Report the wait, if the caller wants progress."""
        if self.progress is not None:
            await self.progress.waiting(f"{why}; waiting {max(seconds, 1):.0f} s")


def exchange_of(request: httpx2.Request) -> Exchange:
    found: Exchange = request.extensions["exchange"]
    return found
