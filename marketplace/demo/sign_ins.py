"""Whose accounts the demo tells everybody, to try it with."""

from __future__ import annotations

PASSWORD = "xiangji2026"  # noqa: S105 - the one password of every demo account

SIGN_INS: list[tuple[str, str, str]] = [
    ("buyer", "buyer", PASSWORD),
    ("official", "official", PASSWORD),
    ("coordinator", "coordinator", PASSWORD),
    ("seller's clerk", "clerk", PASSWORD),
    ("steward", "steward", PASSWORD),
    ("host", "host", PASSWORD),
    ("cabinet operator", "operator", PASSWORD),
    ("staff", "staff", PASSWORD),
    ("second staff", "staff2", PASSWORD),
    ("auditor", "auditor", PASSWORD),
    ("administrator", "admin", PASSWORD),
]
"""Role, login and password of one account per role."""
