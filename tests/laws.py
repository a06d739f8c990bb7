"""The laws of the design, for tests to call after a journey."""

from __future__ import annotations

from marketplace import check


def assert_laws_hold() -> None:
    """Fail, naming every fault, unless each law holds over the whole database."""
    broken = [check.said(finding) for finding in check.check() if not finding.holds]
    assert not broken, "\n" + "\n".join(broken)
