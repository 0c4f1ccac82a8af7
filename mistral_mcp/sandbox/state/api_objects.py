"""Objects created by operations without an endpoint of their own, so that they can be looked up, listed and deleted."""

from typing import Any

from mistral_mcp.sandbox.protocol.errors import detail_error

MAX_OBJECTS = 1_000
"""In one collection. Adding another one removes the oldest."""

Object = dict[str, Any]


class ApiObjects:
    """Objects by the path of their collection, such as `/v2/prompts`, and their id there."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Object]] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._deleted: set[tuple[str, str]] = set()

    def put(self, collection: str, name: str, thing: Object, *also: str) -> None:
        """Store an object, merged with its earlier members. `also`: other ids by which it can be looked up."""
        name = self._id(collection, name)
        kept = self._collections.setdefault(collection, {})
        kept[name] = {**kept.get(name, {}), **thing}
        self._ids |= {(collection, other): name for other in also if other != name}
        self._deleted.discard((collection, name))
        while len(kept) > MAX_OBJECTS:
            del kept[next(iter(kept))]

    def find(self, collection: str, name: str) -> Object:
        """The object's members; empty if it was not created here. 404 if it was deleted."""
        name = self._id(collection, name)
        if (collection, name) in self._deleted:
            raise detail_error(404, "Not Found")
        return self._collections.get(collection, {}).get(name, {})

    def delete(self, collection: str, name: str) -> None:
        """Delete an object; 404 if it was already deleted."""
        self.find(collection, name)
        name = self._id(collection, name)
        self._collections.get(collection, {}).pop(name, None)
        self._deleted.add((collection, name))

    def newest_first(self, collection: str) -> list[Object]:
        return list(reversed(self._collections.get(collection, {}).values()))

    def _id(self, collection: str, name: str) -> str:
        return self._ids.get((collection, name), name)
