"""Order first, then harvest, through JSON alone: from opening to money in a household's hand.

Three people need 30, 60 and 30 boxes at ¥47.00; 108 of the 120 grow. Every figure is computed
by hand here. The cooperative's plans give households 80 % by delivery and 5 % once more.
"""

from __future__ import annotations

import contextvars
import dataclasses
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Role
from kernel.ledger import AccountKind, balance
from orders import books
from orders.actions.closing import close_due_rounds
from orders.actions.rounds import add_offer, create_round
from orders.model import Payment, Refund, RefundState
from orders.payments import reconcile
from sellers.model import BenefitPlan, Lot, LotMode, Seller
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.fairs import plan
from tests.orders.harvest_builders import PRICE_FEN
from tests.orders.programs import Program
from tests.payment_sandbox import SECRET, SandboxServer

AGO = timedelta(hours=2)
SIGNATURE = "M1 1L2 2L3 3L4 4"


@dataclass
class Road:
    """Who walks it, and what they have learned on the way."""

    app: Flask
    sandbox: SandboxServer
    seller: Seller
    lot: Lot
    leader: Program
    clerk: Program
    steward: Program
    staff: Program
    colleagues: list[Program]
    round_id: str = ""
    group: str = ""
    numbers: list[str] = field(default_factory=list)

    @property
    def way(self) -> str:
        """The group order's path."""
        return f"/group-orders/{self.group}"


@pytest.fixture
def people(app: Flask) -> Iterator[Road]:
    """A cooperative with oranges in the field, a unit and staff, who have done nothing yet."""
    before = app.extensions["settings"]
    with SandboxServer() as sandbox, app.app_context():
        app.extensions["settings"] = dataclasses.replace(
            before, stripe_api_base=sandbox.url, stripe_webhook_secret=SECRET
        )
        seller = builders.seller()
        steward = builders.account(Role.STEWARD, seller.organisation)
        for weight in (3, 2, 1):
            builders.household(seller, share_weight=weight, steward_id=steward.id)
        with transaction() as session:
            for kind, basis_points in (("delivery", 8000), ("second", 500)):
                session.add(BenefitPlan(seller_id=seller.id, kind=kind, basis_points=basis_points))
        with clock.moved(-AGO):
            lot = builders.lot(builders.product(seller), 500, LotMode.IN_FIELD)
        unit = builders.buying_unit()
        yield Road(
            app,
            sandbox,
            seller,
            lot,
            Program(app, builders.account(Role.COORDINATOR, unit.organisation)),
            Program(app, builders.account(Role.CLERK, seller.organisation)),
            Program(app, steward),
            Program(app, builders.account(Role.STAFF)),
            [Program(app, builders.account()) for _ in range(2)],
        )
    app.extensions["settings"] = before


@pytest.fixture
def road(people: Road) -> Road:
    """The same with an open round in which the oranges stand."""
    with clock.moved(-AGO):
        opened = create_round(plan(timedelta(hours=1)))
        add_offer(opened.id, people.lot.id, PRICE_FEN, quota=300)
    people.round_id = opened.public_id
    return people


def held(kind: AccountKind, road: Road | None = None) -> int:
    """What stands on an account, or of it for the cooperative, in fen; what we owe is negative."""
    owner = books.seller_owner(road.seller.organisation.public_id) if road else None
    return balance(books.BOOK, kind, owner).fen if owner else balance(books.BOOK, kind).fen


def open_and_register(road: Road, pay_mode: str) -> None:
    """The coordinator opens; all three join and say what they need; one changes its mind."""
    opened = f"/rounds/{road.round_id}"
    offer = road.leader.ask("GET", opened)["offers"][0]["id"]
    made = road.leader.ask("POST", f"{opened}/group-orders", {"pay_mode": pay_mode}, 201)
    road.group = made["id"]
    code = made["join_url"].rsplit("/", 1)[1]
    people = [road.leader, *road.colleagues]
    for number, (person, units) in enumerate(zip(people, (30, 50, 30), strict=True)):
        me = {"staff_number": f"02{number}", "department": "宣教部"}
        joined = person.ask("POST", f"/join/{code}", me)
        assert joined["state"] == ("active" if number == 0 else "pending")
        if number:
            approved = road.leader.ask("POST", f"{road.way}/members/{joined['id']}/approve")
            assert approved["state"] == "active"
        needs = {"needs": [{"offer_id": offer, "quantity": units}]}
        kept = person.ask("PUT", f"{road.way}/needs", needs)
        assert kept["total_fen"] == units * 4700
        road.numbers.append(kept["number"])
    changed = {"needs": [{"offer_id": offer, "quantity": 60}]}
    road.numbers[1] = road.colleagues[0].ask("PUT", f"{road.way}/needs", changed)["number"]
    seen = road.leader.ask("GET", road.way)
    assert (seen["people"], seen["total_fen"]) == (3, 564_000)
    assert seen["totals"][0]["units"] == 120
    assert_laws_hold()


def close_by_the_clock(road: Road) -> None:
    """The hour comes; from then on nobody changes anything."""
    shown = road.staff.ask("GET", f"/staff/rounds/{road.round_id}")
    with clock.frozen(datetime.fromisoformat(shown["closes_at"])):
        assert close_due_rounds(clock.now()) == 1
        late = road.colleagues[0].ask("PUT", f"{road.way}/needs", {"needs": []}, 409)
    assert late["code"] == "group_order_closed"
    assert road.leader.ask("GET", road.way)["state"] == "closed"
    assert_laws_hold()


def pay(road: Road, person: Program, number: str, due_fen: int) -> None:
    """One member opens its payment, pays at the sandbox, and comes back."""
    order = person.ask("GET", f"/orders/{number}")
    assert order["state"] == "due"
    way = urlsplit(order["pay_url"]).path
    assert person.ask("GET", f"/payments/{way.split('/')[2]}")["amount_fen"] == due_fen
    person.ask("GET", way, expect=303)
    session_id = db.session.scalars(
        select(Payment.session_id).where(Payment.public_id == way.split("/")[2])
    ).one()
    db.session.rollback()
    road.sandbox.pay(str(session_id), "alipay")
    person.ask("GET", f"{way}/back", expect=303)
    assert person.ask("GET", f"/orders/{number}")["state"] == "confirmed"
    assert_laws_hold()


def harvest_short(road: Road) -> None:
    """The cooperative splits 120 boxes among three households; 108 grow; all get nine tenths."""
    [notice] = road.clerk.ask("GET", f"/rounds/{road.round_id}/harvest-notices")["items"]
    [item] = notice["items"]
    assert item["quantity"] == 120
    way = f"/notice-items/{item['id']}"
    proposal = road.clerk.ask("GET", f"{way}/proposal")
    assert [one["quantity"] for one in proposal["quotas"]] == [60, 40, 20]
    split = road.clerk.ask("PUT", f"{way}/quotas", proposal)
    for quota, units in zip(split["quotas"], (48, 40, 20), strict=True):
        road.steward.ask("POST", f"/quotas/{quota['id']}/answer", {"accept": True})
        harvested = {"household_id": quota["household_id"], "quantity": units}
        road.steward.ask("PUT", f"{way}/yields", harvested)
    assert_laws_hold()
    divided = road.clerk.ask("POST", f"{way}/allocation", {"policy": "pro_rata"}, 201)["allocation"]
    assert (divided["yielded"], divided["allocated"], divided["left_over"]) == (108, 108, 0)
    again = road.clerk.ask("POST", f"{way}/allocation", {"policy": "pro_rata"}, 409)
    assert again["code"] == "already_allocated"
    assert_laws_hold()


def hand_over(road: Road) -> None:
    """Packed, sent, and signed for by the coordinator; who changed its needs stands last."""
    packed = road.clerk.ask("POST", "/consignments", {"group_order_id": road.group}, 201)
    assert [one["quantity"] for one in packed["lines"]] == [27, 27, 54]
    way = f"/consignments/{packed['id']}"
    road.clerk.ask("POST", f"{way}/sending", {"carrier": "自己送"})
    road.leader.ask("POST", f"{way}/signature", {"signature": SIGNATURE})
    people = [road.leader, *road.colleagues]
    for person, number in zip(people, road.numbers, strict=True):
        assert person.ask("GET", f"/orders/{number}")["state"] == "handed"
    assert_laws_hold()


def settle_and_pay_out(road: Road) -> None:
    """108 boxes are ¥5,076.00: ¥4,060.80 by delivery and ¥253.80 once more to households."""
    what = {
        "seller_id": road.seller.organisation.public_id,
        "round_id": road.round_id,
    }
    stated = road.staff.ask("POST", "/settlements", what, 201)
    assert (stated["total_fen"], stated["households_fen"], stated["own_fen"]) == (
        507_600,
        431_460,
        76_140,
    )
    by_kind: dict[str, list[int]] = {}
    for share in stated["shares"]:
        by_kind.setdefault(share["kind"], []).append(share["amount_fen"])
    assert by_kind == {"delivery": [180_480, 150_400, 75_200], "second": [12_690, 8_460, 4_230]}
    assert held(AccountKind.HOUSEHOLD_PAYABLE, road) == -431_460
    assert held(AccountKind.SELLER_PAYABLE, road) == -76_140
    assert held(AccountKind.BUYER_PREPAID) == 0
    assert_laws_hold()
    before = held(AccountKind.TRANSFER_CLEARING)
    payout = f"/settlements/{stated['id']}/payout"
    proposal = {"reference": "BANK-1", "reason": "签收单齐了"}
    assert road.staff.ask("POST", payout, proposal)["payout"]["state"] == "open"
    road.staff.ask("POST", f"{payout}/approval", expect=403)
    assert held(AccountKind.TRANSFER_CLEARING) == before
    second = Program(road.app, builders.account(Role.STAFF))
    assert second.ask("POST", f"{payout}/approval")["state"] == "paid"
    assert held(AccountKind.TRANSFER_CLEARING) == before - 507_600
    assert held(AccountKind.HOUSEHOLD_PAYABLE, road) == held(AccountKind.SELLER_PAYABLE, road) == 0
    assert_laws_hold()


def send_refunds(road: Road) -> None:
    """What the worker does about refunds that are owed: send them, and ask again later."""
    for later in (timedelta(0), timedelta(minutes=10)):
        # An empty context, as the worker has: nothing of this test's is remembered there.
        contextvars.Context().run(_send, road.app, clock.now() + later)
        road.sandbox.settle_refunds()
    db.session.rollback()
    db.session.expire_all()


def _send(app: Flask, at: datetime) -> None:
    with app.app_context():
        reconcile.send_refunds(at)


def refunds() -> list[tuple[RefundState, int]]:
    """Every refund's state and amount in fen, as they were made."""
    rows = db.session.execute(select(Refund.state, Refund.amount_fen).order_by(Refund.id))
    return [(row.state, row.amount_fen) for row in rows]


def test_members_pay_for_themselves_and_one_of_them_late(road: Road) -> None:
    with clock.moved(-AGO):
        open_and_register(road, "members")
    close_by_the_clock(road)
    first, late = road.colleagues
    pay(road, road.leader, road.numbers[0], 141_000)
    pay(road, first, road.numbers[1], 282_000)
    harvest_short(road)
    # Who has paid is owed the missing boxes' price; who has not owes that much less.
    assert refunds() == [
        (RefundState.PENDING, 14_100),
        (RefundState.CUT, 14_100),
        (RefundState.PENDING, 28_200),
    ]
    send_refunds(road)
    states = [state for state, _ in refunds()]
    assert states == [RefundState.SUCCEEDED, RefundState.CUT, RefundState.SUCCEEDED]
    assert held(AccountKind.REFUNDS_OWED) == 0
    assert held(AccountKind.PROVIDER_CLEARING) == 423_000 - 42_300
    [seen] = first.ask("GET", f"/orders/{road.numbers[1]}")["refunds"]
    assert seen["amount_fen"] == 28_200
    assert_laws_hold()
    pay(road, late, road.numbers[2], 126_900)
    assert held(AccountKind.PROVIDER_CLEARING) == 507_600
    hand_over(road)
    settle_and_pay_out(road)
    assert db.session.scalar(select(func.sum(Payment.captured_fen - Payment.refunded_fen))) == (
        507_600
    )


def test_the_unit_pays_for_all_by_one_transfer(road: Road) -> None:
    with clock.moved(-AGO):
        open_and_register(road, "unit")
    close_by_the_clock(road)
    payment = f"/payments/{road.leader.ask('GET', road.way)['payment_id']}"
    assert road.leader.ask("GET", payment)["amount_fen"] == 564_000
    assert road.colleagues[0].ask("GET", road.way)["payment_id"] is None
    road.colleagues[0].ask("GET", payment, expect=404)
    assert held(AccountKind.RECEIVABLE) == 564_000
    harvest_short(road)
    due = road.leader.ask("GET", payment)
    assert (due["state"], due["amount_fen"]) == ("due", 507_600)
    assert held(AccountKind.RECEIVABLE) == 507_600
    assert {state for state, _ in refunds()} == {RefundState.CUT}
    hand_over(road)
    what = {"seller_id": road.seller.organisation.public_id, "round_id": road.round_id}
    waiting = road.staff.ask("POST", "/settlements", what, 409)
    assert waiting["code"] == "money_not_arrived"
    assert held(AccountKind.SELLER_PAYABLE) == 0
    transfer_for_all(road, payment)
    settle_and_pay_out(road)


def transfer_for_all(road: Road, payment: str) -> None:
    """The coordinator sends the bank's receipt; staff find the transfer and confirm it."""
    receipt = io.BytesIO()
    Image.new("RGB", (20, 20), "white").save(receipt, "PNG")
    receipt.seek(0)
    proof = road.leader.ask("POST", f"{payment}/proof", data={"file": (receipt, "receipt.png")})
    assert proof["has_proof"]
    code = road.leader.ask("GET", payment)["transfer_code"]
    [found] = road.staff.ask("GET", f"/transfers?code={code}")["items"]
    assert (found["has_proof"], sorted(found["orders"])) == (True, sorted(road.numbers))
    assert road.staff.ask("GET", "/transfers")["items"] == [found]
    road.staff.ask("POST", f"{payment}/confirm", {"received_fen": 564_000}, 409)
    confirmed = road.staff.ask("POST", f"{payment}/confirm", {"received_fen": 507_600})
    assert (confirmed["state"], confirmed["captured_fen"]) == ("captured", 507_600)
    assert held(AccountKind.RECEIVABLE) == 0
    assert held(AccountKind.TRANSFER_CLEARING) == 507_600
    assert_laws_hold()


def plan_by_staff(road: Road) -> None:
    """Staff plan a round, put the oranges into it, and cut the cooperative off a little early."""
    with clock.moved(-AGO):
        facts = dataclasses.asdict(plan(timedelta(days=3)))
        body = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in facts.items()
        }
        made = road.staff.ask("POST", "/staff/rounds", body, 201)
        road.round_id = made["id"]
        way = f"/staff/rounds/{road.round_id}"
        [lot] = road.staff.ask("GET", f"{way}/lots")["items"]
        offer = {"lot_id": lot["id"], "price_fen": PRICE_FEN, "quota": 300}
        [leg] = road.staff.ask("POST", f"{way}/offers", offer, 201)["legs"]
        cutoff_at = clock.now() + timedelta(days=2)
        cut = {"cutoff_at": cutoff_at.isoformat()}
        shown = road.staff.ask("PUT", f"{way}/legs/{leg['seller_id']}", cut)
    assert datetime.fromisoformat(shown["offers"][0]["cutoff_at"]) == cutoff_at
    assert road.staff.ask("GET", f"{way}/lots")["items"] == []
    [row] = road.staff.ask("GET", "/staff/rounds")["items"]
    assert (row["id"], row["offers"], row["sellers"]) == (road.round_id, 1, 1)


def close_by_hand(road: Road) -> None:
    """The coordinator closes; staff move the hour forward, and the clock does the rest."""
    closed = road.leader.ask("POST", f"{road.way}/close")
    assert closed["state"] == "closed"
    late = road.colleagues[0].ask("PUT", f"{road.way}/needs", {"needs": []}, 409)
    assert late["code"] == "group_order_closed"
    assert_laws_hold()
    shown = road.staff.ask("GET", f"/staff/rounds/{road.round_id}")
    told = {"id", "title", "is_open", "offers", "processed_at", "legs"}
    kept = {name: shown[name] for name in shown.keys() - told}
    soon = (clock.now() + timedelta(minutes=1)).isoformat()
    sooner = {**kept, "title_zh": shown["title"], "closes_at": soon}
    moved = road.staff.ask("PUT", f"/staff/rounds/{road.round_id}", sooner)
    assert moved["legs"][0]["cutoff_at"] == moved["closes_at"]
    with clock.frozen(datetime.fromisoformat(soon)):
        assert close_due_rounds(clock.now()) == 1
    done = road.staff.ask("GET", f"/staff/rounds/{road.round_id}")
    assert done["processed_at"]
    assert done["legs"][0]["notice_id"]
    too_late = road.staff.ask("PUT", f"/staff/rounds/{road.round_id}", sooner, 409)
    assert too_late["code"] == "round_processed"


def test_from_the_plan_to_the_payout_through_json_alone(people: Road) -> None:
    road = people
    plan_by_staff(road)
    with clock.moved(-AGO):
        open_and_register(road, "unit")
    close_by_hand(road)
    payment = f"/payments/{road.leader.ask('GET', road.way)['payment_id']}"
    assert road.leader.ask("GET", payment)["amount_fen"] == 564_000
    harvest_short(road)
    transfer_for_all(road, payment)
    [ready] = road.clerk.ask("GET", "/packing")["items"]
    assert (ready["group_order_id"], ready["lines"], ready["units"]) == (road.group, 3, 108)
    hand_over(road)
    [arrived] = road.leader.ask("GET", "/arrivals")["items"]
    assert arrived["signed_at"]
    assert road.staff.ask("GET", "/arrivals", expect=403)["code"] == "denied"
    [waiting] = road.staff.ask("GET", "/settlements/waiting")["items"]
    assert (waiting["round_id"], waiting["arrived"]) == (road.round_id, True)
    assert waiting["amount_fen"] == 507_600
    settle_and_pay_out(road)
    assert road.clerk.ask("GET", "/settlements/waiting")["items"] == []
