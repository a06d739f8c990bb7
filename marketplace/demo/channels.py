"""Broadcasts that ended, that is on, that is planned; cabinets with stock and their sales."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import select

from cabinets.actions import operated, reports
from cabinets.actions.reports import Report
from cabinets.actions.sites import CabinetFacts, SiteFacts, create_cabinet, create_site
from cabinets.actions.trips import TripLine, restock
from cabinets.stock import expected_of
from kernel import clock
from kernel.access import found
from kernel.db import db, transaction
from livestream import actions
from livestream.actions import Pin, Plan
from livestream.model import Broadcast, BroadcastKind, ShareLink
from marketplace.demo import facts
from marketplace.demo.trade import buy, deliver, guest, pay, payment_of
from marketplace.demo.world import World

PAST_ORDERS, LIVE_ORDERS = 45, 14
LIVE_MINUTES = 40
SHARED_FIRST = 0.2
"""The share of viewers who had come through a share link before: it assists."""
IN_CABINETS = ("xs-egg", "lc-honey", "lc-sweetpotato", "xs-chrysanthemum", "yb-pepper", "wy-millet")
CAPACITY = 40
FILLED = 36


def broadcast(world: World) -> None:
    """Write the three broadcasts of the facts into the diary: ended, on now, and planned."""
    diary = world.diary
    ended, live, planned = facts.rows("livestreams")
    begins = diary.ago(30, 14)
    diary.at(begins, partial(_ended, world, ended))
    diary.at(diary.now - timedelta(minutes=LIVE_MINUTES), partial(_live, world, live))
    diary.at(diary.now - timedelta(minutes=LIVE_MINUTES + 20), partial(_planned, world, planned))


def _plan(world: World, row: dict[str, str], begins_in: timedelta, lasts: timedelta) -> Broadcast:
    return actions.plan_broadcast(
        world.viewer("host"),
        Plan(
            title_zh=row["title_zh"],
            title_en=row["title_en"],
            kind=BroadcastKind(row["kind"]),
            platform="第三方直播平台",
            place_zh="产地直播间",
            planned_from=clock.now() + begins_in,
            planned_to=clock.now() + begins_in + lasts,
        ),
    )


def _pin(world: World, code: str, listing: str, quota: int, percent: int) -> str:
    """Pin a listing at so many per cent of its price; return its offer's public id."""
    pin = Pin(world.lots[listing], world.prices[listing] * percent // 100, quota, 10)
    pinned = actions.pin_offer(world.viewer("host"), code, pin)
    with transaction():
        db.session.refresh(pinned, ["offer"])
        return pinned.offer.public_id


def _ended(world: World, row: dict[str, str]) -> None:
    host = world.viewer("host")
    made = _plan(world, row, timedelta(0), timedelta(hours=2))
    code = made.code
    offer = _pin(world, code, row["listing"], 3000, 90)
    actions.start(host, code)
    for n in range(PAST_ORDERS):
        at = clock.now() + timedelta(minutes=2 + n * 100 // PAST_ORDERS)
        world.diary.at(at, partial(_buy_live, world, code, offer, f"live-{n}", delivered=True))
    end = clock.now() + timedelta(hours=2)
    world.diary.at(end, lambda: actions.end(world.viewer("host"), code))
    views = int(row["views_reported"])
    world.diary.at(end + timedelta(hours=1), lambda: _report(world, code, views))


def _report(world: World, code: str, views: int) -> None:
    figure = actions.report_views(world.viewer("host"), code, views)
    with transaction() as session:
        told = session.merge(figure)
        told.reporter_zh, told.reporter_en = "当地媒体报道", "reported by the local press"


def _live(world: World, row: dict[str, str]) -> None:
    made = _plan(world, row, timedelta(0), timedelta(hours=2))
    code = made.code
    offers = [
        _pin(world, code, row["listing"], 500, 90),
        _pin(world, code, "wz-rose-orange", 300, 92),
        _pin(world, code, "wz-honey", 100, 95),
    ]
    actions.start(world.viewer("host"), code)
    for n in range(LIVE_ORDERS):
        at = clock.now() + timedelta(minutes=2 + n * (LIVE_MINUTES - 4) // LIVE_ORDERS)
        offer = offers[n % 2]
        world.diary.at(at, partial(_buy_live, world, code, offer, f"now-{n}", delivered=False))


def _planned(world: World, row: dict[str, str]) -> None:
    made = _plan(world, row, timedelta(days=3), timedelta(days=10))
    _pin(world, made.code, row["listing"], 400, 95)


def _buy_live(world: World, code: str, offer: str, name: str, *, delivered: bool) -> None:
    """A viewer comes through the broadcast's link, buys what is shown, and perhaps gets it."""
    viewer = guest(name)
    if world.dice.random() < SHARED_FIRST:
        link = db.session.scalars(select(ShareLink).order_by(ShareLink.id)).first()
        actions.touch(found(link).credit, viewer.visitor, None)
    credit = actions.hosted(world.viewer("host"), code).credit
    actions.touch(credit, viewer.visitor, None)
    order = buy(world, viewer, {offer: world.dice.choice((1, 1, 2, 2, 3, 5))})
    pay(payment_of(order))
    if delivered:
        order_id = order.id
        world.diary.at(clock.now() + timedelta(days=2), lambda: deliver(order_id))


def cabinets(world: World) -> None:
    """Set up every site and cabinet, fill some slots, and let devices report their weeks."""
    diary = world.diary
    rows = facts.rows("cabinet_sites")
    diary.at(diary.ago(86, 9), lambda: _set_up(world, rows))
    codes = [f"{row['code']}-{n + 1}" for row in rows for n in range(int(row["cabinets"]))]
    sequence = dict.fromkeys(codes, 0)
    for week in range(11, -1, -1):
        if week in (7, 3):
            diary.at(diary.ago(week * 7, 7), partial(_fill, world, codes))
        for index, code in enumerate(codes):
            at = diary.ago(week * 7, 12, 10 + index) if week else diary.now - _silence(index)
            diary.at(at, partial(_report_sales, world, code, sequence, 1 + (11 - week) // 4))


def _silence(index: int) -> timedelta:
    """How long ago a cabinet was heard: all have just reported, and the first has lost touch."""
    return timedelta(minutes=2 + index) if index else timedelta(hours=1)


def _set_up(world: World, rows: list[dict[str, str]]) -> None:
    operator = world.viewer("operator")
    for row in rows:
        create_site(
            operator,
            SiteFacts(
                code=row["code"],
                kind=row["kind"],
                name_zh=row["name_zh"],
                name_en=row["name_en"],
                city=row["city"],
            ),
        )
        for n in range(int(row["cabinets"])):
            code = f"{row['code']}-{n + 1}"
            slots = int(row["slots_per_cabinet"])
            create_cabinet(
                operator, row["code"], CabinetFacts(code=code, slots=slots, capacity=CAPACITY)
            )
            lines = [
                TripLine(number, FILLED, world.lots[listing], world.prices[listing])
                for number, listing in enumerate(IN_CABINETS, 1)
            ]
            restock(operator, code, lines)


def _fill(world: World, codes: list[str]) -> None:
    """Put back what was sold."""
    operator = world.viewer("operator")
    for code in codes:
        slots = operated(operator, code).slots[: len(IN_CABINETS)]
        expected = expected_of([slot.id for slot in slots])
        lines = [TripLine(slot.number, FILLED - expected[slot.id]) for slot in slots]
        restock(operator, code, [line for line in lines if line.units > 0])


def _report_sales(world: World, code: str, sequence: dict[str, int], sales: int) -> None:
    batch = []
    for _ in range(sales):
        sequence[code] += 1
        slot = world.dice.randrange(1, len(IN_CABINETS) + 1)
        units = world.dice.choice((1, 2)) if slot > 1 else world.dice.choice((2, 3))
        batch.append(Report(sequence[code], "sale", {"slot": slot, "units": units}))
    reports.receive(code, batch)
