"""The known name nearest to an unknown one: "did you mean"."""

from collections.abc import Iterable

_LOOKED_AT = 64  # characters; comparing takes quadratic time
_NEAR = 0.8


def nearest(name: str, known: Iterable[str], *, prefix: str = "") -> str | None:
    """The known name most similar to this one, if any is similar. The prefix of known names is not compared."""
    wanted = _plain(name, prefix)
    by_plain_name = {_plain(candidate, prefix): candidate for candidate in known}
    if wanted in by_plain_name:
        return by_plain_name[wanted]
    import difflib  # noqa: PLC0415 - only mistakes need it

    matches = difflib.get_close_matches(wanted, by_plain_name, n=1, cutoff=_NEAR)
    if matches:
        return by_plain_name[matches[0]]
    return None


def _plain(name: str, prefix: str) -> str:
    return name[:_LOOKED_AT].lower().replace("-", "_").removeprefix(prefix)
