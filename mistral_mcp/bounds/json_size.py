"""How many values JSON holds, counted before any is built: of the smallest, a few megabytes would become gigabytes."""

_SEPARATORS = (b",", b"[", b"{")


def count_separators(json: bytes) -> int:
    """About as many as there are values; those within texts are counted too."""
    return sum(json.count(each) for each in _SEPARATORS)


def without_texts(json: bytes) -> bytes:
    """What stands between the texts, in which separators mean nothing."""
    plain = json.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(plain.split(b'"')[::2])


def holds_more_than(limit: int, json: bytes) -> bool:
    """Whether there are more values than that."""
    if count_separators(json) <= limit:
        return False
    # So many texts would be many values as well, and are not looked at one by one.
    return json.count(b'"') > 4 * limit or count_separators(without_texts(json)) > limit
