"""Medians of the rounds, ratios to the floors, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Round = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be: a ratio of two rates, or a value, and its bound."""

    name: str
    of: str
    to: str
    least: float


RATIOS = (
    Aim("order / pgbench hot", "order_hot", "floor_hot", 0.4),
    Aim("order, 200 in flight / pgbench hot", "order_crowd", "floor_hot", 0.4),
    Aim("order, 1,000 offers / pgbench spread", "order_spread", "floor_spread", 0.0),
    Aim("offer list API / bare Flask, same JSON", "list_api", "bare_list", 0.5),
    Aim("offer list page / bare Flask, same JSON", "list_page", "bare_list", 0.25),
    Aim("product page / bare Flask, the JSON of the list", "product_page", "bare_list", 0.25),
    # For comparison: two narrow rows as JSON cost less than any page can.
    Aim("list page / bare Flask, two queries", "list_page", "bare_two", 0.0),
    Aim("product page / bare Flask, two queries", "product_page", "bare_two", 0.0),
)
BOUNDS = (
    ("p99 at 200 in flight, ms", "p99_crowd_ms", 1000.0),
    # A second beside a floor of 860 orders a second, for which it was asked.
    ("p99 at 200 in flight / 200 orders of pgbench hot", "p99_crowd_waits", 4.3),
    ("statements of an order", "order_statements", 8.0),
    ("memory of a worker, MiB", "worker_mib", 150.0),
    ("cold start of a worker, s", "cold_start_s", 1.5),
)
COLUMNS = (
    ("per s", "per_s", "{:,.0f}"),
    ("p50 ms", "p50_ms", "{:,.1f}"),
    ("p99 ms", "p99_ms", "{:,.1f}"),
    ("statements", "statements", "{}"),
    ("server CPU ms", "server_cpu_ms", "{:.2f}"),
    ("database CPU ms", "database_cpu_ms", "{:.2f}"),
    ("load CPU", "load_cpu", "{:.0%}"),
    ("others' CPU", "other_cpu", "{:.0%}"),
)


def medians(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    """Return the median of every figure over the rounds."""
    return {
        phase: {name: median(one[phase][name] for one in rounds) for name in rounds[0][phase]}
        for phase in rounds[0]
    }


def ratios(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the median of each ratio, taken within each round."""
    return {
        aim.name: median(one[aim.of]["per_s"] / one[aim.to]["per_s"] for one in rounds)
        for aim in RATIOS
    }


def waits(rounds: Sequence[Round], crowd: int) -> float:
    """Return how often pgbench could serve all of `crowd` while the last of a hundred waits."""
    slowest_s = [one["order_crowd"]["p99_ms"] / 1000 for one in rounds]
    per_s = [one["floor_hot"]["per_s"] for one in rounds]
    return float(median(s * rate / crowd for s, rate in zip(slowest_s, per_s, strict=True)))


def table(names: Mapping[str, str], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of all phases as a Markdown table."""
    lines = [
        "| | " + " | ".join(title for title, _, _ in COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
    ]
    for key, kept in figures.items():
        cells = [shown.format(kept[name]) if name in kept else "" for _, name, shown in COLUMNS]
        lines.append(f"| {names[key]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def aims(found: Mapping[str, float], single: Mapping[str, float]) -> str:
    """Return ratios and bounds beside their aims as a Markdown table."""
    lines = ["| | measured | aim | |", "|---|---:|---:|---|"]
    for aim in RATIOS:
        wanted = f"≥ {aim.least}" if aim.least else ""
        mark = "" if found[aim.name] >= aim.least else "missed"
        lines.append(f"| {aim.name} | {found[aim.name]:.2f} | {wanted} | {mark} |")
    for name, key, most in BOUNDS:
        mark = "" if single[key] <= most else "missed"
        lines.append(f"| {name} | {single[key]:,.4g} | ≤ {most:,.4g} | {mark} |")
    return "\n".join(lines)
