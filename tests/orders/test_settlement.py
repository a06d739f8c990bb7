"""What a seller is owed for delivered goods, and how it reaches households."""

import re
from datetime import datetime, timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.access import Viewer
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound, SecondPersonNeeded
from kernel.identity import OrganisationKind, Role, Seat
from kernel.ledger import AccountKind, LedgerTransaction, balance
from orders import books
from orders.actions.handover import pack, pack_order, receive, send, sign
from orders.actions.harvest import propose, split
from orders.actions.settlement import (
    approve_payout,
    approve_return,
    propose_payout,
    propose_return,
    state_settlement,
    turn_down_return,
)
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import (
    HouseholdShare,
    Order,
    Payment,
    PaymentMethod,
    PayMode,
    Settlement,
    SettlementLine,
    SettlementState,
)
from orders.payments.captures import confirm_transfer
from orders.placing import place
from orders.queries.settlement import settlements, to_settle
from sellers.actions import confirm_bank
from sellers.model import BenefitPlan, Seller
from tests import builders
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.orders.harvest_builders import PRICE_FEN, Closed, closed_round, pay
from tests.orders.programs import Program
from tests.orders.test_handover import SIGNATURE
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def handed_over(*needs: int, short: int = 0) -> Closed:
    """A round whose households delivered all but `short` units, packed and signed for."""
    closed = closed_round(*needs)
    proposal = propose(closed.item, closed.households)
    split(closed.item.id, proposal)
    for number, household in enumerate(closed.households):
        units = proposal[household.public_id] - (short if number == 0 else 0)
        enter_yield(closed.item.id, household.id, Harvested(units), account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    deliver(closed)
    return closed


def deliver(closed: Closed) -> None:
    packed = pack(closed.seller.id, closed.group_order.id)
    send(packed.id, "自己送")
    sign(packed.id, SIGNATURE, account_id=closed.coordinator.id)


def held(kind: AccountKind, closed: Closed) -> int:
    """What the ledger owes on an account of the seller's, in fen."""
    owner = books.seller_owner(closed.seller.organisation.public_id)
    return -balance(books.BOOK, kind, owner).fen


def test_a_seller_is_owed_what_was_delivered_and_households_get_their_shares() -> None:
    closed = handed_over(60, 60, short=12)
    made = state_settlement(closed.seller.id, closed.round.id)
    total = 108 * PRICE_FEN
    assert made.total_fen == total
    delivery = total * 8000 // 10_000
    second = total * 500 // 10_000
    assert held(AccountKind.HOUSEHOLD_PAYABLE, closed) == delivery + second
    assert held(AccountKind.SELLER_PAYABLE, closed) == total - delivery - second
    assert balance(books.BOOK, AccountKind.BUYER_PREPAID).fen == 0
    by_kind = dict(
        db.session.execute(
            select(HouseholdShare.kind, func.sum(HouseholdShare.amount_fen)).group_by(
                HouseholdShare.kind
            )
        ).all()
    )
    assert by_kind == {"delivery": delivery, "second": second}
    units = db.session.scalars(
        select(HouseholdShare.units)
        .where(HouseholdShare.kind == "delivery")
        .order_by(HouseholdShare.household_id)
    ).all()
    assert list(units) == [48, 40, 20]


def test_settling_again_finds_nothing_new() -> None:
    closed = handed_over(60)
    state_settlement(closed.seller.id, closed.round.id)
    moves = db.session.scalar(select(func.count()).select_from(LedgerTransaction))
    with pytest.raises(Conflict) as refusal:
        state_settlement(closed.seller.id, closed.round.id)
    assert refusal.value.code == "nothing_to_settle"
    assert db.session.scalar(select(func.count()).select_from(LedgerTransaction)) == moves
    assert db.session.scalar(select(func.count()).select_from(SettlementLine)) == 1


def test_two_settlements_at_once_settle_each_line_once(app: Flask) -> None:
    closed = handed_over(60, 30)
    seller_id, round_id = closed.seller.id, closed.round.id
    with pytest.RaisesGroup(Conflict, Conflict):
        at_once(app, *[lambda: state_settlement(seller_id, round_id)] * 3)
    assert db.session.scalar(select(func.count()).select_from(SettlementLine)) == 2
    assert balance(books.BOOK, AccountKind.BUYER_PREPAID).fen == 0


def test_nothing_is_settled_before_it_is_signed_for() -> None:
    closed = closed_round(60)
    enter_yield(closed.item.id, None, Harvested(60), account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    packed = pack(closed.seller.id, closed.group_order.id)
    send(packed.id, "自己送")
    with pytest.raises(Conflict):
        state_settlement(closed.seller.id, closed.round.id)
    assert db.session.scalars(select(Settlement)).all() == []


def test_nothing_is_paid_to_a_seller_out_of_what_a_unit_still_owes() -> None:
    closed = closed_round(60, pay_mode=PayMode.UNIT)
    enter_yield(closed.item.id, None, Harvested(60), account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    deliver(closed)
    with pytest.raises(Conflict) as refusal:
        state_settlement(closed.seller.id, closed.round.id)
    assert refusal.value.code == "money_not_arrived"
    assert db.session.scalars(select(Settlement)).all() == []
    [waiting] = to_settle([closed.seller.id])
    assert (waiting.arrived, waiting.amount.fen) == (False, 60 * PRICE_FEN)
    payment = db.session.scalars(select(Payment)).one()
    confirm_transfer(payment.public_id, builders.account(Role.STAFF).id)
    [waiting] = to_settle([closed.seller.id])
    assert (waiting.arrived, waiting.lines) == (True, 1)
    assert state_settlement(closed.seller.id, closed.round.id).total_fen == 60 * PRICE_FEN
    assert to_settle([closed.seller.id]) == []


def test_plans_beyond_the_income_stop_a_settlement_before_it_changes_anything() -> None:
    closed = handed_over(60)
    with transaction() as session:
        session.add(BenefitPlan(seller_id=closed.seller.id, kind="shares", basis_points=2000))
    with pytest.raises(Conflict) as refusal:
        state_settlement(closed.seller.id, closed.round.id)
    assert refusal.value.code == "plans_exceed_income"
    assert db.session.scalars(select(Settlement)).all() == []
    assert held(AccountKind.SELLER_PAYABLE, closed) == 0


def test_a_payout_empties_what_was_owed_and_a_second_one_is_refused() -> None:
    closed = handed_over(60)
    made = state_settlement(closed.seller.id, closed.round.id)
    first, second = builders.account(Role.STAFF).id, builders.account(Role.STAFF).id
    with pytest.raises(Invalid):
        propose_payout(made.id, "  ", reason="签收单齐了", account_id=first)
    before = balance(books.BOOK, AccountKind.TRANSFER_CLEARING).fen
    propose_payout(made.id, "BANK-0001", reason="签收单齐了", account_id=first)
    approve_payout(made.id, account_id=second)
    with pytest.raises(Conflict) as refusal:
        propose_payout(made.id, "BANK-0002", reason="再打一次", account_id=first)
    assert refusal.value.code == "already_paid"
    with pytest.raises(Conflict):
        approve_payout(made.id, account_id=second)
    assert held(AccountKind.SELLER_PAYABLE, closed) == 0
    assert held(AccountKind.HOUSEHOLD_PAYABLE, closed) == 0
    after = balance(books.BOOK, AccountKind.TRANSFER_CLEARING).fen
    assert before - after == 60 * PRICE_FEN
    assert db.session.scalars(select(Settlement.payout_reference)).one() == "BANK-0001"


def write_account(seller_id: int, number: str) -> None:
    """Let the seller have written a bank account that nobody has looked at yet."""
    with transaction() as session:
        seller = session.get_one(Seller, seller_id)
        seller.bank_account, seller.bank_changed_at = number, clock.now()
        seller.bank_checked_at = seller.bank_checked_by = None


def written_at(seller_id: int) -> datetime | None:
    """Since when its account stands."""
    db.session.expire_all()
    return db.session.get_one(Seller, seller_id).bank_changed_at


def test_nothing_is_paid_out_while_the_account_waits_for_staff() -> None:
    closed = handed_over(6)
    made = state_settlement(closed.seller.id, closed.round.id)
    first, second = (builders.account(Role.STAFF).id for _ in range(2))
    pay_out = partial(propose_payout, made.id, "BANK-0001", reason="签收单齐了", account_id=first)
    write_account(closed.seller.id, "6222000000000001")
    with pytest.raises(Conflict) as refusal:
        pay_out()
    assert refusal.value.code == "account_not_confirmed"
    confirm_bank(closed.seller.id, first, written_at(closed.seller.id))
    pay_out()
    write_account(closed.seller.id, "6222000000000002")
    with pytest.raises(Conflict) as refusal:
        approve_payout(made.id, account_id=second)
    assert refusal.value.code == "account_not_confirmed"
    db.session.expire_all()
    assert db.session.get_one(Settlement, made.id).state is SettlementState.STATED
    confirm_bank(closed.seller.id, second, written_at(closed.seller.id))
    assert approve_payout(made.id, account_id=second).state is SettlementState.PAID


def test_what_the_bank_returned_is_owed_again_and_can_be_paid_again() -> None:
    closed = handed_over(60)
    made = state_settlement(closed.seller.id, closed.round.id)
    owed = [held(kind, closed) for kind in OWED]
    clearing = balance(books.BOOK, AccountKind.TRANSFER_CLEARING).fen
    for number in (1, 2):
        builders.pay_out(made.id, f"BANK-{number}")
        assert [held(kind, closed) for kind in OWED] == [0, 0]
        assert_laws_hold()
        builders.return_payout(made.id, f"BACK-{number}")
        assert [held(kind, closed) for kind in OWED] == owed
        assert balance(books.BOOK, AccountKind.TRANSFER_CLEARING).fen == clearing
        assert (made.state, made.paid_at, made.payout_reference) == ("stated", None, "")
        assert_laws_hold()
    builders.pay_out(made.id, "BANK-3")
    assert [held(kind, closed) for kind in OWED] == [0, 0]
    assert balance(books.BOOK, AccountKind.TRANSFER_CLEARING).fen == clearing - 60 * PRICE_FEN
    assert_laws_hold()
    seat = frozenset({Seat(Role.CLERK, closed.seller.id)})
    [view] = settlements(Viewer(closed.clerk.id, "", seats=seat)).items
    told = [(one.facts["payout_reference"], one.facts["reference"]) for one in view.returns]
    assert told == [("BANK-1", "BACK-1"), ("BANK-2", "BACK-2")]


OWED = (AccountKind.SELLER_PAYABLE, AccountKind.HOUSEHOLD_PAYABLE)


def test_a_return_needs_a_payout_a_reference_words_and_a_second_person() -> None:
    closed = handed_over(60)
    made = state_settlement(closed.seller.id, closed.round.id)
    first, second = builders.account(Role.STAFF).id, builders.account(Role.STAFF).id
    bring_back = partial(propose_return, made.id, account_id=first)
    with pytest.raises(Conflict) as refusal:
        bring_back("BACK-1", reason="账号已销户")
    assert refusal.value.code == "not_paid"
    builders.pay_out(made.id, "BANK-1")
    for reference, reason in ((" ", "账号已销户"), ("BACK-1", " ")):
        with pytest.raises(Invalid):
            bring_back(reference, reason=reason)
    with pytest.raises(NotFound):
        approve_return(made.id, account_id=second)
    bring_back("BACK-1", reason="账号已销户")
    with pytest.raises(SecondPersonNeeded):
        approve_return(made.id, account_id=first)
    turn_down_return(made.id, "不是这一笔", account_id=second)
    assert [held(kind, closed) for kind in OWED] == [0, 0]
    assert db.session.get_one(Settlement, made.id).state is SettlementState.PAID
    bring_back("BACK-2", reason="账号已销户")
    approve_return(made.id, account_id=second)
    with pytest.raises(Conflict) as refusal:
        approve_return(made.id, account_id=second)
    assert refusal.value.code == "not_paid"


def test_the_account_that_a_payout_came_back_from_waits_for_staff_again() -> None:
    closed = handed_over(6)
    made = state_settlement(closed.seller.id, closed.round.id)
    checker = builders.account(Role.STAFF).id
    write_account(closed.seller.id, "6222000000000001")
    confirm_bank(closed.seller.id, checker, written_at(closed.seller.id))
    builders.pay_out(made.id, "BANK-1")
    builders.return_payout(made.id, "BACK-1")
    with pytest.raises(Conflict) as refusal:
        propose_payout(made.id, "BANK-2", reason="再打一次", account_id=checker)
    assert refusal.value.code == "account_not_confirmed"
    confirm_bank(closed.seller.id, checker, written_at(closed.seller.id))
    builders.pay_out(made.id, "BANK-2")
    write_account(closed.seller.id, "6222000000000002")
    confirm_bank(closed.seller.id, checker, written_at(closed.seller.id))
    builders.return_payout(made.id, "BACK-2")
    builders.pay_out(made.id, "BANK-3")
    assert db.session.get_one(Settlement, made.id).state is SettlementState.PAID


def test_the_seller_reads_what_the_bank_returned_and_programs_do(app: Flask) -> None:
    closed = handed_over(6)
    made = state_settlement(closed.seller.id, closed.round.id)
    builders.pay_out(made.id, "BANK-1")
    first, second = (Program(app, builders.account(Role.STAFF)) for _ in range(2))
    way = f"/settlements/{made.public_id}/return"
    body = {"reference": "BACK-1", "reason": "账号已销户"}
    waiting = first.ask("POST", way, body)
    assert (waiting["state"], waiting["payout_return"]["state"]) == ("paid", "open")
    first.ask("POST", f"{way}/approval", expect=403)
    back = second.ask("POST", f"{way}/approval")
    assert (back["state"], back["payout"], back["payout_return"]) == ("stated", None, None)
    [told] = Program(app, closed.clerk).ask("GET", "/settlements")["items"][0]["returned"]
    told.pop("returned_at")
    assert told == {**body, "payout_reference": "BANK-1"}
    page = Visitor(app, app.response_class)
    page.enter(closed.clerk.login)
    text = page.page("/seller/money")
    assert all(word in text for word in ("账号已销户", "BANK-1", "BACK-1", "再打一次"))
    assert 'href="/seller/profile#bank_account"' in text
    assert 'id="bank_account"' in page.page("/seller/profile")


def test_a_shop_order_is_settled_outside_of_rounds() -> None:
    offer = builders.offer()
    placed = place(
        builders.buyer(), {offer.id: 3}, builders.credited_to_shop(offer), PaymentMethod.STRIPE
    )
    order = db.session.get_one(Order, placed.order_id)
    pay(order)
    send(pack_order(offer.seller_id, order.id).id, "某快递", "SF1")
    with pytest.raises(Conflict):
        state_settlement(offer.seller_id, None)
    receive(order.id, account_id=None)
    made = state_settlement(offer.seller_id, None)
    assert (made.total_fen, made.round_id) == (3 * 5900, None)
    assert db.session.scalars(select(HouseholdShare)).all() == []


def test_a_status_that_has_run_out_brings_no_second_distribution() -> None:
    seller = builders.seller()
    builders.household(seller, status_until=clock.today() - timedelta(days=1))
    holds = builders.household(seller, status_until=clock.today())
    with transaction() as session:
        session.add(BenefitPlan(seller_id=seller.id, kind="second", basis_points=500))
    offer = builders.offer(builders.lot(builders.product(seller)))
    placed = place(
        builders.buyer(), {offer.id: 1}, builders.credited_to_shop(offer), PaymentMethod.STRIPE
    )
    order = db.session.get_one(Order, placed.order_id)
    pay(order)
    send(pack_order(seller.id, order.id).id, "自己送")
    receive(order.id, account_id=None)
    made = state_settlement(seller.id, None)
    assert [one.household_id for one in made.shares] == [holds.id]


def test_pages_and_programs_settle_with_sellers_and_no_other_organisation(app: Flask) -> None:
    body = {"seller": a_platform_that_once_sold(), "round": "", "idempotency_key": "form-1"}
    staff = builders.account(Role.STAFF)
    page = Visitor(app, app.response_class)
    page.enter(staff.login)
    page.show_factor()
    assert page.send("/staff/settlements", **body).status_code == 404
    asked = {"seller_id": body["seller"], "round_id": None}
    Program(app, staff).ask("POST", "/settlements", asked, expect=404)


def a_platform_that_once_sold() -> str:
    """The public id of an organisation with a seller's papers, which is of another kind."""
    organisation = builders.seller().organisation
    with transaction():
        organisation.kind = OrganisationKind.PLATFORM
    return organisation.public_id


def test_an_old_settlement_is_found_until_it_is_paid_out_and_sums_are_of_all(app: Flask) -> None:
    seller = builders.seller()
    with transaction() as session:
        old = Settlement(seller_id=seller.id, total_fen=100)
        session.add(old)
        session.flush()
        at = clock.now()
        paid = [
            Settlement(seller_id=seller.id, total_fen=1_000, state=SettlementState.PAID, paid_at=at)
            for _ in range(51)
        ]
        session.add_all(paid)
    staff, clerk = (Visitor(app, app.response_class) for _ in range(2))
    staff.enter(builders.account(Role.STAFF).login)
    clerk.enter(builders.account(Role.CLERK, seller.organisation).login)
    first = staff.page("/staff/settlements")
    assert f"/{old.public_id}/payout" in first
    [further] = re.findall(r'href="(/staff/settlements\?cursor=[^"]+)"', first)
    second = staff.page(further)
    there = [one for one in paid if f"/{one.public_id}/return" in first]
    assert [one for one in paid if f"/{one.public_id}/return" in second] == paid[:2]
    assert there == paid[2:]
    shown = clerk.page("/seller/money")
    assert re.findall("¥[0-9.]+", shown)[:3] == ["¥0", "¥1", "¥510"]
