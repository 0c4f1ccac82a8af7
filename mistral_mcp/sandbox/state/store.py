"""A bounded collection of the objects of one kind that one key has created."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from mistral_mcp.sandbox.protocol.errors import detail_error

Thing = TypeVar("Thing")

MAX_ITEMS = 1_000
"""Objects of one kind that are kept for one key. Adding another one removes the oldest."""


class Store(Generic[Thing]):
    """Objects by their ids, in the order in which they were added."""

    missing = "Not Found"
    """The `detail` of the 404 for an unknown id."""

    def __init__(self) -> None:
        self._things: dict[str, Thing] = {}

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._things.values())

    def __len__(self) -> int:
        return len(self._things)

    def newest_first(self) -> list[Thing]:
        """All objects, in the order of the API's lists."""
        return list(reversed(self._things.values()))

    def put(self, name: str, thing: Thing) -> Thing:
        """Store an object under this id, and return it."""
        self._things[name] = thing
        while len(self._things) > MAX_ITEMS:
            del self._things[next(iter(self._things))]
        return thing

    def find(self, name: str) -> Thing | None:
        """The object with this id, None if there is none."""
        return self._things.get(name)

    def get(self, name: str) -> Thing:
        """The object with this id; 404 if there is none."""
        found = self._things.get(name)
        if found is None:
            raise detail_error(404, self.missing)
        return found

    def remove(self, name: str) -> Thing:
        """Remove and return the object with this id; 404 if there is none."""
        thing = self.get(name)
        del self._things[name]
        return thing
