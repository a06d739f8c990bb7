"""`make bench`: measure every phase in interleaved rounds, show the medians, write them down.

BENCH_SECONDS is how long each phase lasts, BENCH_ROUNDS how often each is measured, BENCH_WARM_S
how long each is warmed up, BENCH_OFFERS and BENCH_PAST_LINES how much the shop holds, BENCH_ONLY
which phases (their keys, by commas), BENCH_JSON where the figures are written.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench import figures
from bench.gauges import Statements, memory_mib
from bench.phases import CROWD, IN_FLIGHT, PHASES, Floor, Phase, same_json
from bench.rig import Rig
from bench.world import Size

TRIES = 3


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Run the bench; return the exit code. No figure makes it fail, a wrong answer does."""
    # Whoever ends the bench lets it end all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    seconds = float(os.environ.get("BENCH_SECONDS", "6"))
    rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
    warm_s = float(os.environ.get("BENCH_WARM_S", "1"))
    size = Size(
        int(os.environ.get("BENCH_OFFERS", "10000")),
        int(os.environ.get("BENCH_PAST_LINES", "10000")),
    )
    only = {one for one in os.environ.get("BENCH_ONLY", "").split(",") if one}
    phases = [phase for phase in PHASES if not only or phase.key in only]
    begun = time.monotonic()
    with Rig(size, _say) as rig:
        same_json(rig)
        asked = _statements(rig, phases)
        single = {"order_statements": float(asked.get("order_hot", {}).get("statements", 0))}
        single["cold_start_s"] = median(rig.cold_start_s() for _ in range(rounds))
        if warm_s:
            _warm(rig, phases, warm_s)
        measured = _rounds(rig, phases, rounds, seconds)
        single["worker_mib"] = memory_mib(rig.workers())
        _compare_stock(rig)
    told = figures.medians(measured)
    for key, statements in asked.items():
        told[key] |= statements
    single["p99_crowd_ms"] = told.get("order_crowd", {}).get("p99_ms", 0.0)
    names = {phase.key: phase.name for phase in PHASES}
    found = {}
    if not only:
        found = figures.ratios(measured)
        single["p99_crowd_waits"] = figures.waits(measured, CROWD)
    _say(f"\nMedians of {rounds} interleaved rounds of {seconds:g} s, {IN_FLIGHT} in flight")
    _say(f"(the crowd {CROWD}), {size.offers:,} offers, {size.past_lines:,} past lines.\n")
    _say(figures.table(names, told))
    if found:
        _say("\n" + figures.aims(found, single))
    path = _write_down(_kept(size, seconds, measured, told, found, single))
    _say(f"\n{time.monotonic() - begun:.0f} s in all; written to {path}")
    return 0


def _statements(rig: Rig, phases: list[Phase | Floor]) -> dict[str, dict[str, Any]]:
    """Count what the database is asked for each request: BEGIN, COMMIT and all."""
    return {
        phase.key: {"statements": len(_asked(rig, phase))}
        for phase in phases
        if isinstance(phase, Phase)
    }


def _asked(rig: Rig, phase: Phase) -> list[str]:
    """Return the statements of one request: of several tries the least.

    A worker's first connection asks what kind of server it has.
    """
    tries = []
    counting = Statements(rig.url, phase.site(rig).application)
    for _ in range(TRIES):
        with counting:
            phase.ask_once(rig)
        tries.append(counting.words)
    counting.close()
    words = min(tries, key=len)
    _say(f"  {phase.name}: {', '.join(f'{n} {word}' for word, n in Counter(words).items())}")
    return words


def _warm(rig: Rig, phases: list[Phase | Floor], seconds: float) -> None:
    """Let every worker meet every page once: templates compiled, statements prepared."""
    _say("Warming up")
    for phase in phases:
        phase.measure(rig, seconds)


def _rounds(
    rig: Rig, phases: list[Phase | Floor], rounds: int, seconds: float
) -> list[dict[str, dict[str, Any]]]:
    measured = []
    for number in range(1, rounds + 1):
        one = {}
        for phase in phases:
            one[phase.key] = kept = phase.measure(rig, seconds)
            _say(
                f"  round {number} of {rounds}: {phase.name}: {kept['per_s']:,.0f}/s, "
                f"p99 {kept['p99_ms']:,.0f} ms"
            )
        measured.append(one)
    return measured


def _compare_stock(rig: Rig) -> None:
    """Raise RuntimeError when the stock does not say what the lines say: speed from a fault."""
    with psycopg.connect(rig.url) as connection:
        wrong = connection.execute(
            """
            SELECT count(*) FROM offer o
            JOIN lot ON lot.id = o.lot_id
            LEFT JOIN (SELECT offer_id, sum(quantity) AS units FROM order_line GROUP BY 1) l
                ON l.offer_id = o.id
            WHERE o.sold <> coalesce(l.units, 0) OR lot.promised <> coalesce(l.units, 0)
            """
        ).fetchone()
    if wrong is None or wrong[0]:
        raise RuntimeError(f"{wrong} offers sold something else than their lines say")


def _kept(size: Size, seconds: float, measured: Any, told: Any, found: Any, single: Any) -> Any:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "size": {"offers": size.offers, "past_lines": size.past_lines},
        "seconds": seconds,
        "medians": told,
        "ratios": found,
        "single": single,
        "rounds": measured,
    }


def _write_down(kept: Any) -> Path:
    path = Path(os.environ.get("BENCH_JSON", "var/bench.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1))
    return path


if __name__ == "__main__":
    sys.exit(main())
