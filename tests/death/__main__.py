"""`python -m tests.death`: fifty kills in one run, its table, and exit code 1 if anything broke."""

from __future__ import annotations

import sys

from tests.death.plan import FIFTY
from tests.death.run import run, table


def say(text: str) -> None:
    """Show progress at once."""
    print(text, flush=True)  # noqa: T201 - it is a command


def main() -> int:
    """Run, show what happened, and return the exit code."""
    outcome = run(FIFTY, say)
    verdict, witness = outcome.verdict, outcome.witness
    say("")
    say(table(outcome.killed))
    retried = sum(intent.tries > 1 for intent in witness.intents)
    say(f"\n  {len(outcome.killed)} kills proved in {outcome.took_s:.0f} s;")
    say(f"  {outcome.orders} orders answered, {retried} intents asked more than once,")
    say(f"  PostgreSQL back after at most {max(outcome.back_after_s):.1f} s")
    for name, faults in vars(verdict).items():
        say(f"  {name.replace('_', ' '):<20} {len(faults)}")
        for fault in faults[:10]:
            say(f"    - {fault}")
    for trouble in outcome.troubles:
        say(f"  note: {trouble}")
    return 1 if verdict.found() else 0


if __name__ == "__main__":
    sys.exit(main())
