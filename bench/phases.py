"""What is measured: each phase asks one thing for some seconds, on a rig that is running."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import floor, gauges
from bench.load import Load
from bench.rig import HOST, ROOT, Rig, Site, fetch
from bench.world import BOARD_CODE

IN_FLIGHT = 16
CROWD = 200
BOARD = f"/api/v1/broadcasts/{BOARD_CODE}/board"
OFFERS = "/api/v1/offers"
ORDERS = "/api/v1/orders"
BOARD_BUYERS = 1

Stream = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Phase:
    """One thing to measure. `name` is how it is shown, `key` how it is stored.

    `statuses` are the answers that are right; `streams` says what is asked for.
    """

    key: str
    name: str
    site: Callable[[Rig], Site]
    streams: Callable[[Rig], list[Stream]]
    statuses: tuple[int, ...] = (200,)

    def ask_once(self, rig: Rig) -> None:
        """Send one request of the first stream, so that its statements can be counted."""
        one = {**self.streams(rig)[0], "connections": 1}
        site = self.site(rig)
        plan = {"host": HOST, "port": site.port, "warm_s": 0, "seconds": 0, "streams": [one]}
        Load(plan).run()

    def measure(self, rig: Rig, seconds: float) -> dict[str, Any]:
        """Ask for some seconds and return rates, times and use of CPU per request."""
        site = self.site(rig)
        plan = {
            "host": HOST,
            "port": site.port,
            "warm_s": min(0.5, seconds / 4),
            "seconds": seconds,
            "streams": self.streams(rig),
        }
        done, used = _watched(rig, site.pid, lambda: _load(plan))
        wrong = {
            status: count
            for status, count in done["statuses"].items()
            if int(status) not in self.statuses
        }
        if wrong or done["unanswered"]:
            raise RuntimeError(f"{self.name}: {wrong}, {done['unanswered']} without an answer")
        return _figures(done, used, sum(done["statuses"].values()) + sum(done["others"].values()))


@dataclass(frozen=True, slots=True)
class Floor:
    """What pgbench reaches: the least SQL of an order over so many offers."""

    key: str
    name: str
    offers: int

    def measure(self, rig: Rig, seconds: float) -> dict[str, Any]:
        """Run pgbench and return rates, times and the database's CPU per order."""
        done, used = _watched(
            rig, None, lambda: floor.measure(rig.floor_url, self.offers, seconds, rig.folder)
        )
        return _figures(done, used, done["requests"])


def _pages(*paths: str) -> Callable[[Rig], list[Stream]]:
    return lambda _: [{"kind": "get", "connections": IN_FLIGHT, "paths": list(paths)}]


def _orders(connections: int, hot: bool) -> Callable[[Rig], list[Stream]]:
    def streams(rig: Rig) -> list[Stream]:
        offers = [rig.world.hot_offer] if hot else rig.world.spread_offers
        return [_order(connections, rig, offers)]

    return streams


def _order(connections: int, rig: Rig, offers: list[str]) -> Stream:
    return {
        "kind": "order",
        "connections": connections,
        "paths": [ORDERS],
        "tokens": rig.world.tokens,
        "offers": offers,
    }


def _board(rig: Rig) -> Stream:
    return {
        "kind": "poll",
        "connections": IN_FLIGHT,
        "paths": [BOARD],
        "tokens": [rig.world.host_token],
    }


def _changing_board(rig: Rig) -> list[Stream]:
    buying = _order(BOARD_BUYERS, rig, [rig.world.pinned_offer])
    return [_board(rig), {**buying, "counted": False}]


def _two(rig: Rig) -> list[Stream]:
    paths = [f"/two?offer={one}" for one in rig.world.shown_offers]
    tokens = rig.world.tokens
    return [{"kind": "get", "connections": IN_FLIGHT, "paths": paths, "tokens": tokens}]


def _products(rig: Rig) -> list[Stream]:
    paths = [f"/offers/{one}" for one in rig.world.shown_offers]
    return [{"kind": "get", "connections": IN_FLIGHT, "paths": paths}]


def _shop(rig: Rig) -> Site:
    return rig.shop


def _bare(rig: Rig) -> Site:
    return rig.bare


PHASES: tuple[Phase | Floor, ...] = (
    Floor("floor_hot", "pgbench, one order on one hot row", 1),
    Floor("floor_spread", "pgbench, one order over 1,000 rows", floor.OFFERS),
    Phase("bare_two", "bare Flask, two queries", _bare, _two),
    Phase("bare_list", "bare Flask, the JSON of the offer list", _bare, _pages("/offers")),
    Phase("list_api", "offer list, API", _shop, _pages(OFFERS)),
    Phase("list_page", "offer list, page", _shop, _pages("/offers")),
    Phase("product_page", "product page", _shop, _products),
    Phase("board_same", "board, unchanged", _shop, lambda rig: [_board(rig)], (200, 304)),
    Phase("board_changing", "board, while it sells", _shop, _changing_board, (200, 304)),
    Phase("order_hot", "orders for one offer", _shop, _orders(IN_FLIGHT, hot=True), (201,)),
    Phase("order_crowd", "orders for one offer, 200", _shop, _orders(CROWD, hot=True), (201,)),
    Phase("order_spread", "orders over 1,000 offers", _shop, _orders(IN_FLIGHT, hot=False), (201,)),
)


def same_json(rig: Rig) -> None:
    """Raise RuntimeError unless the bare endpoint returns the same JSON as the offer list."""
    theirs, ours = fetch(rig.bare.port, "/offers"), fetch(rig.shop.port, OFFERS)
    # Only what leads to the next page is written in another way.
    if json.loads(theirs[2])["items"] != json.loads(ours[2])["items"]:
        raise RuntimeError(f"not the JSON of the offer list: {theirs[2]!r}, {ours[2]!r}")


def _load(plan: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(plan),
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _watched(
    rig: Rig, server_pid: int | None, work: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Do the work, and return with it the CPU that went to server, database and all others."""

    def now() -> dict[str, float]:
        return {
            "server": gauges.cpu_s(server_pid) if server_pid else 0.0,
            "database": gauges.cpu_s(rig.postgres_pid),
            "machine": gauges.machine_cpu_s(),
        }

    before = now()
    done = work()
    return done, {name: value - before[name] for name, value in now().items()}


def _figures(done: dict[str, Any], used: dict[str, float], answered: int) -> dict[str, Any]:
    """Return what is kept of one measurement. CPU is divided by all that was answered."""
    seconds = done["seconds"]
    known = used["server"] + used["database"] + done["load_cpu_s"]
    return {
        "per_s": done["requests"] / seconds,
        "p50_ms": done["p50_ms"],
        "p99_ms": done["p99_ms"],
        "server_cpu_ms": used["server"] / max(1, answered) * 1000,
        "database_cpu_ms": used["database"] / max(1, answered) * 1000,
        "load_cpu": done["load_cpu_s"] / seconds,
        "other_cpu": max(0.0, used["machine"] - known) / seconds,
        "requests": done["requests"],
        "answered": answered,
    }
