"""Nothing is oversold, whatever the concurrency: real processes, real HTTP, real PostgreSQL.

Each rush is judged by `faults`. The same judge looks at the same rush against a shop whose
stock rule was taken out, and must find it guilty: else it would prove nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy import func, select

from kernel.db import db
from kernel.identity import Account
from kernel.postgres import Cluster
from kernel.tokens import issue_token
from marketplace import check
from orders.model import Order, OrderLine
from sellers.model import Lot, Offer
from tests import builders
from tests.conftest import DATABASE
from tests.laws import assert_laws_hold
from tests.races.crowd import Answer, Ask, rush
from tests.races.servers import serving

pytestmark = pytest.mark.xdist_group("races")

ADDRESS = {"name": "某人", "phone": "13800000000", "city": "韶关市", "address": "某路 1 号"}


@dataclass(frozen=True)
class Rush:
    """Buyers who all come at once, and what must become of them."""

    asks: list[Ask]
    orders: int
    units: int
    """How many orders may be made, and how many units of the first offer's lot they hold."""
    code: str
    lot_id: int


Scene = Callable[[int, int], Rush]


def ask(number: int, *offers: Offer, **headers: str) -> Ask:
    """One buyer, who wants one unit of each offer."""
    body = {
        "lines": [{"offer_id": offer.public_id, "quantity": 1} for offer in offers],
        "recipient": ADDRESS,
        "payment": "stripe",
    }
    return Ask("/api/v1/orders", body, {"Idempotency-Key": f"rush-{number}", **headers})


def on_one_offer(buyers: int, stock: int) -> Rush:
    """Everybody wants a unit of one offer; each is a guest of its own."""
    offer = builders.offer(builders.lot(builders.product(builders.seller()), offered=stock))
    asks = [ask(number, offer) for number in range(buyers)]
    return Rush(asks, stock, stock, "out_of_stock", offer.lot_id)


def on_two_offers_of_one_lot(buyers: int, stock: int) -> Rush:
    """Everybody wants a unit through each of two offers that share a lot, with one unit odd."""
    lot = builders.lot(builders.product(builders.seller()), offered=stock * 2 + 1)
    pair = [builders.offer(lot), builders.offer(lot, price_fen=4900)]
    asks = [ask(number, *pair[:: (-1) ** number]) for number in range(buyers)]
    return Rush(asks, stock, stock * 2, "out_of_stock", lot.id)


def on_a_quota(buyers: int, stock: int) -> Rush:
    """The lot has plenty; the offer may sell only `stock` of it."""
    lot = builders.lot(builders.product(builders.seller()), offered=1000)
    offer = builders.offer(lot, quota=stock)
    asks = [ask(number, offer) for number in range(buyers)]
    return Rush(asks, stock, stock, "out_of_stock", lot.id)


def by_one_buyer(buyers: int, stock: int) -> Rush:
    """One buyer, signed in, sends many orders for what each may have only `stock` of."""
    offer = builders.offer(limit_per_buyer=stock)
    account = db.session.get_one(Account, builders.account().id)
    token = {"Authorization": f"Bearer {issue_token(account)}"}
    asks = [ask(number, offer, **token) for number in range(buyers)]
    return Rush(asks, stock, stock, "limit_reached", offer.lot_id)


def faults(rushed: Rush, answers: list[Answer]) -> list[str]:
    """Name everything that is not as it must be; an empty list is a fair sale."""
    found: list[str] = []

    def want(what: str, is_: object, should_be: object) -> None:
        if is_ != should_be:
            found.append(f"{what}: {is_}, not {should_be}")

    refused = len(answers) - rushed.orders
    want("answers", Counter(a.status for a in answers), Counter({201: rushed.orders, 409: refused}))
    for answer in answers:
        if answer.status == 409:
            want("kind of refusal", answer.kind, "application/problem+json")
            want("refusal", answer.json.get("code"), rushed.code)
            want("words say what to do", "减少数量" in answer.json.get("detail", ""), True)
    numbers = {answer.json["number"] for answer in answers if answer.status == 201}
    db.session.rollback()
    want("orders", set(db.session.scalars(select(Order.number))), numbers)
    want("orders made", len(numbers), rushed.orders)
    held = db.session.scalar(select(func.coalesce(func.sum(OrderLine.quantity), 0)))
    want("units in lines", held, rushed.units)
    want("promised", db.session.get_one(Lot, rushed.lot_id).promised, rushed.units)
    found += [check.said(one) for one in check.check() if not one.holds]
    return found


@pytest.fixture(scope="module")
def port(application: Flask) -> Iterator[int]:
    """Where the shop as it is listens."""
    with serving("wsgi:app", application.extensions["settings"]) as port:
        yield port


@pytest.fixture(scope="module")
def unprotected_port(application: Flask) -> Iterator[int]:
    """Where the shop without its stock rule listens."""
    with serving("tests.races.unprotected:app", application.extensions["settings"]) as port:
        yield port


@pytest.fixture
def shop(app: Flask) -> Iterator[Flask]:
    """The database that the processes sell from, for builders and the judge."""
    with app.app_context():
        builders.credit_source()
        yield app


@pytest.fixture
def without_checks(shop: Flask, cluster: Cluster) -> None:
    """Take from the database the CHECKs that stand behind the stock rule."""
    with psycopg.connect(cluster.url(DATABASE), autocommit=True) as connection:
        for table, name in [
            ("lot", "ck_lot_promise"),
            ("offer", "ck_offer_quota"),
            ("buyer_take", "ck_buyer_take_units"),
        ]:
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.Identifier(table), sql.Identifier(name)
                )
            )


def test_five_hundred_buyers_at_once_get_exactly_the_fifty_units(shop: Flask, port: int) -> None:
    rushed = on_one_offer(500, 50)
    assert faults(rushed, rush(port, rushed.asks)) == []
    assert_laws_hold()


SCENES = pytest.mark.parametrize(
    ("scene", "buyers", "stock"),
    [
        (on_two_offers_of_one_lot, 120, 25),
        (on_a_quota, 120, 50),
        (by_one_buyer, 20, 3),
    ],
)


@SCENES
def test_no_ceiling_is_broken_by_buyers_who_come_at_once(
    shop: Flask, port: int, scene: Scene, buyers: int, stock: int
) -> None:
    rushed = scene(buyers, stock)
    assert faults(rushed, rush(port, rushed.asks)) == []


@pytest.mark.parametrize(
    ("scene", "buyers", "stock", "said"),
    [
        (on_one_offer, 60, 10, "promised of 10 offered"),
        (on_two_offers_of_one_lot, 60, 10, "promised of 21 offered"),
        (on_a_quota, 60, 10, "sold of a quota of 10"),
        (by_one_buyer, 20, 3, "orders made"),
    ],
)
def test_without_the_stock_rule_the_same_judge_finds_too_much_sold(
    shop: Flask,
    without_checks: None,
    unprotected_port: int,
    scene: Scene,
    buyers: int,
    stock: int,
    said: str,
) -> None:
    """The control of the tests above."""
    rushed = scene(buyers, stock)
    found = faults(rushed, rush(unprotected_port, rushed.asks))
    assert any(said in fault for fault in found), found
    made = db.session.scalar(select(func.count()).select_from(Order)) or 0
    assert made > rushed.orders
