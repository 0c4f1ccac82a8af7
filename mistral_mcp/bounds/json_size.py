"""How many values JSON holds, counted before parsing: a few megabytes of the smallest would take gigabytes."""


def count_separators(json: bytes) -> int:
    """About the number of values; separators within strings are counted too."""
    return json.count(b",") + json.count(b"[") + json.count(b"{")


def without_texts(json: bytes) -> bytes:
    """The JSON without its strings, in which separators mean nothing."""
    plain = json.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(plain.split(b'"')[::2])


def holds_more_than(limit: int, json: bytes) -> bool:
    """Whether there are more values than that."""
    if count_separators(json) <= limit:
        return False
    # So many strings are as many values: no need to remove them one by one.
    return json.count(b'"') > 4 * limit or count_separators(without_texts(json)) > limit
