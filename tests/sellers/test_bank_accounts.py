"""A seller's bank account is paid to once staff, who did not write it, confirmed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from kernel.audit import Act, AuditEntry
from kernel.db import db, transaction
from kernel.errors import Conflict, SecondPersonNeeded
from kernel.identity import Account, Role
from sellers import actions
from sellers.model import Seller
from sellers.queries import staff as worklist
from tests import builders
from tests.sellers.test_registration import change, licensed

FIRST, SECOND = "6222000000000001", "6222000000000002"


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def verified(**values: Any) -> tuple[Seller, Account]:
    """A verified seller, and who verified it."""
    seller, staff = licensed(**values), builders.account(Role.STAFF)
    actions.submit(seller.id)
    actions.verify(seller.id, staff.id)
    return seller, staff


def now(seller: Seller) -> Seller:
    """The seller as the database has it."""
    db.session.expire_all()
    return db.session.get_one(Seller, seller.id)


def confirm(seller: Seller, staff: Account) -> None:
    """Staff confirms what stands there now."""
    actions.confirm_bank(seller.id, staff.id, now(seller).bank_changed_at)


def test_verifying_a_seller_confirms_no_account() -> None:
    seller, _staff = verified(bank_account=FIRST)
    assert now(seller).bank_waits
    assert [one.id for one in worklist.waiting_accounts()] == [seller.id]


def test_an_account_is_paid_to_once_staff_confirmed_it_and_it_is_remembered_who() -> None:
    seller, staff = verified(bank_account=FIRST)
    with pytest.raises(Conflict) as refusal:
        actions.hold_bank(seller.id)
    assert refusal.value.code == "account_not_confirmed"
    confirm(seller, staff)
    actions.hold_bank(seller.id)
    assert worklist.waiting_accounts() == []
    assert now(seller).bank_checked_by == staff.id
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.act, entry.account_id) == (Act.BANK_ACCOUNT_CONFIRMED, staff.id)


def test_a_changed_account_waits_again_and_the_same_one_does_not() -> None:
    seller, staff = verified(bank_account=FIRST)
    confirm(seller, staff)
    change(seller, bank_account=FIRST)
    change(seller, contact_phone="02311111111")
    assert not now(seller).bank_waits
    change(seller, bank_account=SECOND)
    assert (now(seller).bank_waits, now(seller).bank_checked_by) == (True, None)
    acts = db.session.scalars(select(AuditEntry.act)).all()
    assert acts.count(Act.BANK_ACCOUNT_CHANGED) == 2


def test_what_was_changed_while_staff_looked_is_not_confirmed() -> None:
    seller, staff = verified(bank_account=FIRST)
    seen = now(seller).bank_changed_at
    change(seller, bank_account=SECOND)
    for looked_at in (seen, None):
        with pytest.raises(Conflict) as refusal:
            actions.confirm_bank(seller.id, staff.id, looked_at)
        assert refusal.value.code == "account_changed"
    assert now(seller).bank_waits


def test_whoever_wrote_an_account_does_not_confirm_it() -> None:
    seller, staff = verified()
    change(seller, clerk=staff.id, bank_account=FIRST)
    with pytest.raises(SecondPersonNeeded):
        confirm(seller, staff)
    assert now(seller).bank_waits
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(update(Seller).values(bank_checked_by=Seller.bank_changed_by))


def test_a_seller_without_an_account_waits_for_nobody() -> None:
    seller, _staff = verified()
    assert not now(seller).bank_waits
    actions.hold_bank(seller.id)
