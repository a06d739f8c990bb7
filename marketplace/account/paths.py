"""Where to go after something: only ever a page of this site."""

from __future__ import annotations

MAX_LENGTH = 500


def same_site(path: str | None, otherwise: str) -> str:
    """Return `path` if it is a relative path on this site, else `otherwise`.

    Browsers read a backslash as a slash and skip control characters, so both are refused.
    """
    if not path or len(path) > MAX_LENGTH or not path.isprintable() or "\\" in path:
        return otherwise
    if not path.startswith("/") or path.startswith("//"):
        return otherwise
    return path
