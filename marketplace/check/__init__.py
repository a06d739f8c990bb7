"""Every law over the whole database: what was counted, and what was found against it."""

from marketplace.check.law import SHOWN, Finding, Law, examine, said
from marketplace.check.laws import LAWS, WAITING, check

__all__ = ["LAWS", "SHOWN", "WAITING", "Finding", "Law", "check", "examine", "said"]
