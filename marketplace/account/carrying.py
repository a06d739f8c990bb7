"""What was being sent when it was refused, carried along in the page until it is sent again.

Field by field, as hidden inputs: nothing typed is lost, and nothing is kept on the server.
"""

from __future__ import annotations

from flask import request

from kernel.access import READS
from marketplace.menu import came_from

PROOFS = frozenset(
    {
        *("csrf_token", "second_factor", "present_password", "begun_factor"),
        *("password", "again", "present"),
    }
)
"""What shows who sends a form; never carried along."""
KEPT = "kept:"
"""Begins the names of what the sign-in page carries for another page, beside its own fields."""
PART = "kept_part"
"""Field of a page on the way which tells that it does not carry all that was sent."""


def carried() -> list[tuple[str, str]]:
    """Return the fields of the form that was being posted, in order."""
    left = PROOFS | {PART}
    return [(name, text) for name, text in request.form.items(multi=True) if name not in left]


def kept() -> list[tuple[str, str]]:
    """Return what the pages for signing in carry, by the names that it had."""
    return [(name.removeprefix(KEPT), text) for name, text in carried() if name.startswith(KEPT)]


def kept_whole() -> bool:
    """Tell whether a page on the way carries all that was sent to the other page."""
    return PART not in request.form


def to_send_again() -> list[tuple[str, str]]:
    """Return what may be sent again by one press: only what a page of ours posted."""
    is_ours = request.method not in READS and came_from() is not None
    return carried() if is_ours else []


def is_whole() -> bool:
    """Tell whether all that was sent is carried: no file, and nothing that proves who sends it."""
    files = any(file.filename for file in request.files.values())
    return not files and not any(request.form.get(name) for name in PROOFS - {"csrf_token"})


def posted_to() -> str:
    """Return the address, with its query, to which the form was posted."""
    return request.full_path.rstrip("?")
