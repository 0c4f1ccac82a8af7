"""Where one section keeps its things for one key: in order of arrival, and never more than it has room for."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from mistral_mcp.sandbox.protocol.errors import detail_error

Thing = TypeVar("Thing")

MAX_ITEMS = 1_000
"""Things of one kind that are kept for one key. The oldest is forgotten when another one comes."""


class Store(Generic[Thing]):
    """Things under their ids."""

    missing = "Not Found"
    """What is said of a thing that is not there."""

    def __init__(self) -> None:
        self._things: dict[str, Thing] = {}

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._things.values())

    def __len__(self) -> int:
        return len(self._things)

    def newest_first(self) -> list[Thing]:
        """All of them, as lists show them."""
        return list(reversed(self._things.values()))

    def put(self, name: str, thing: Thing) -> Thing:
        """Keep it."""
        self._things[name] = thing
        while len(self._things) > MAX_ITEMS:
            del self._things[next(iter(self._things))]
        return thing

    def find(self, name: str) -> Thing | None:
        """The one with this id, if it is there."""
        return self._things.get(name)

    def get(self, name: str) -> Thing:
        """The one with this id; 404 if it is not there."""
        found = self._things.get(name)
        if found is None:
            raise detail_error(404, self.missing)
        return found

    def remove(self, name: str) -> Thing:
        """Forget the one with this id; 404 if it is not there."""
        thing = self.get(name)
        del self._things[name]
        return thing
