"""A seller registers, shows its papers, and is verified or returned."""

import dataclasses
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from kernel import clock
from kernel.audit import AuditEntry
from kernel.db import db
from kernel.errors import Conflict, Invalid
from kernel.identity import Membership, Organisation, Role
from sellers import actions, supply
from sellers.model import (
    Certificate,
    CertificateState,
    Product,
    Seller,
    SellerKind,
    SellerState,
)
from tests import builders
from tests.visitors import Visitor

FACTS = actions.SellerFacts(
    kind=SellerKind.COOPERATIVE,
    name_zh="黄陵村柑橘合作社",
    province="重庆市",
    city="重庆市",
    county="开州区",
    village="黄陵村",
    contact_phone="02300000000",
    households_count=60,
    registered_count=12,
)


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def picture() -> actions.Upload:
    """A photograph of a paper."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "PNG")
    return actions.Upload(out.getvalue(), "licence.png")


def licensed(**values: Any) -> Seller:
    """A seller in draft that has a licence."""
    seller = actions.register_seller(builders.account().id, dataclasses.replace(FACTS, **values))
    actions.add_certificate(
        seller.id, None, kind=actions.LICENCE, number="91500234", upload=picture()
    )
    return seller


def change(seller: Seller, clerk: int | None = None, **values: Any) -> None:
    """Let somebody write down other facts."""
    facts = dataclasses.replace(FACTS, **values)
    actions.update_seller(seller.id, facts, account_id=clerk or builders.account().id)


def state_of(seller: Seller) -> SellerState:
    """The state as the database has it."""
    db.session.expire_all()
    return db.session.get_one(Seller, seller.id).state


def test_registering_makes_a_draft_with_its_first_clerk() -> None:
    account = builders.account()
    seller = actions.register_seller(account.id, FACTS)
    assert state_of(seller) is SellerState.DRAFT
    assert seller.name_zh == "黄陵村柑橘合作社"
    member = db.session.scalar(select(Membership).where(Membership.organisation_id == seller.id))
    assert member is not None
    assert (member.account_id, member.role) == (account.id, Role.CLERK)


def test_an_account_registers_one_seller_only() -> None:
    account = builders.account()
    actions.register_seller(account.id, FACTS)
    with pytest.raises(Conflict) as refusal:
        actions.register_seller(account.id, FACTS)
    assert refusal.value.code == "already_registered"
    assert db.session.scalar(select(func.count()).select_from(Seller)) == 1
    assert db.session.scalar(select(func.count()).select_from(Organisation)) == 1


def test_more_registered_households_than_households_are_refused() -> None:
    with pytest.raises(Invalid):
        actions.register_seller(
            builders.account().id, dataclasses.replace(FACTS, registered_count=61)
        )
    assert db.session.scalar(select(func.count()).select_from(Organisation)) == 0


def test_a_seller_without_a_licence_cannot_ask_to_be_verified() -> None:
    seller = actions.register_seller(builders.account().id, FACTS)
    with pytest.raises(Invalid) as refusal:
        actions.submit(seller.id)
    assert set(refusal.value.fields) == {"certificates"}
    assert state_of(seller) is SellerState.DRAFT


def test_a_seller_without_a_phone_cannot_ask_to_be_verified() -> None:
    seller = licensed(contact_phone=None)
    with pytest.raises(Invalid) as refusal:
        actions.submit(seller.id)
    assert set(refusal.value.fields) == {"contact_phone"}
    assert state_of(seller) is SellerState.DRAFT


def test_a_certificate_is_kept_with_its_file_for_the_seller_and_staff_only() -> None:
    seller = licensed()
    [certificate] = db.session.scalars(select(Certificate))
    assert certificate.file is not None
    assert certificate.file.public is False
    assert certificate.file.organisation_id == seller.id


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("file", {"upload": None}),
        ("file", {"upload": actions.Upload(b"MZ not a picture", "a.jpg")}),
        ("valid_until", {"valid_until": clock.today() - timedelta(days=1)}),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(field: str, values: dict[str, Any]) -> None:
    seller = actions.register_seller(builders.account().id, FACTS)
    given = {"kind": actions.LICENCE, "number": "1", "upload": picture(), **values}
    with pytest.raises(Invalid) as refusal:
        actions.add_certificate(seller.id, None, **given)
    assert field in refusal.value.fields
    assert db.session.scalar(select(func.count()).select_from(Certificate)) == 0


def test_staff_verifies_and_it_is_remembered_who_did() -> None:
    seller, staff = licensed(), builders.account(Role.STAFF)
    actions.submit(seller.id)
    actions.verify(seller.id, staff.id)
    assert state_of(seller) is SellerState.VERIFIED
    entry = db.session.scalar(select(AuditEntry))
    assert entry is not None
    assert (entry.act, entry.account_id) == ("seller_verified", staff.id)


def test_what_was_submitted_again_since_a_page_was_opened_is_looked_at_first(app: Flask) -> None:
    seller, colleague = licensed(), builders.account(Role.STAFF)
    actions.submit(seller.id)
    staff, at = Visitor(app, app.response_class), f"/staff/sellers/{seller.organisation.public_id}"
    staff.enter(builders.account(Role.STAFF).login)
    opened = re.findall(r'name="submitted_at" value="([^"]+)"', staff.page(at))[0]
    actions.return_to_seller(seller.id, colleague.id, "地址不对")
    actions.update_seller(
        seller.id, dataclasses.replace(FACTS, county="另一县"), account_id=colleague.id
    )
    actions.submit(seller.id)
    staff.send(f"{at}/verify", submitted_at=opened)
    assert "又提交了一次" in staff.page(at)
    assert state_of(seller) is SellerState.SUBMITTED
    shown = re.findall(r'name="submitted_at" value="([^"]+)"', staff.page(at))[0]
    staff.send(f"{at}/verify", submitted_at=shown)
    assert state_of(seller) is SellerState.VERIFIED


def test_staff_returns_with_a_reason_and_the_seller_submits_again() -> None:
    seller, staff = licensed(), builders.account(Role.STAFF)
    actions.submit(seller.id)
    with pytest.raises(Invalid):
        actions.return_to_seller(seller.id, staff.id, "  ")
    assert state_of(seller) is SellerState.SUBMITTED
    actions.return_to_seller(seller.id, staff.id, "执照照片看不清，重拍一张")
    assert state_of(seller) is SellerState.RETURNED
    assert db.session.get_one(Seller, seller.id).return_reason == "执照照片看不清，重拍一张"
    actions.submit(seller.id)
    assert state_of(seller) is SellerState.SUBMITTED


@pytest.mark.parametrize("state", list(SellerState))
def test_each_state_allows_only_the_moves_of_its_table(state: SellerState) -> None:
    staff = builders.account(Role.STAFF)
    for to in (SellerState.VERIFIED, SellerState.RETURNED):
        seller = builders.seller(state)
        if to in state.moves:
            continue
        move = {
            SellerState.VERIFIED: partial(actions.verify, seller.id, staff.id),
            SellerState.RETURNED: partial(actions.return_to_seller, seller.id, staff.id, "不全"),
        }[to]
        with pytest.raises(Conflict):
            move()
        assert state_of(seller) is state


def test_while_staff_looks_at_it_nothing_changes() -> None:
    seller = licensed()
    actions.submit(seller.id)
    with pytest.raises(Conflict):
        change(seller, name_zh="换个名字")
    with pytest.raises(Conflict):
        actions.add_certificate(seller.id, None, kind="other", number="1", upload=picture())
    db.session.expire_all()
    assert db.session.get_one(Seller, seller.id).name_zh == FACTS.name_zh


def test_a_verified_seller_keeps_its_name_and_may_change_its_phone() -> None:
    seller, staff = licensed(), builders.account(Role.STAFF)
    actions.submit(seller.id)
    actions.verify(seller.id, staff.id)
    with pytest.raises(Conflict) as refusal:
        change(seller, village="别的村")
    assert set(refusal.value.fields) == {"village"}
    change(seller, contact_phone="02311111111")
    db.session.expire_all()
    changed = db.session.get_one(Seller, seller.id)
    assert (changed.village, changed.contact_phone) == ("黄陵村", "02311111111")


def test_a_new_village_is_found_by_search_at_once() -> None:
    seller = licensed()
    product = builders.product(seller)
    change(seller, village="青龙村")
    db.session.expire_all()
    assert "青龙" in db.session.get_one(Product, product.id).terms
    assert "龙村" in db.session.get_one(Product, product.id).terms


def numbers_shown(offer_id: int) -> str:
    """The certificate that a line of this offer freezes now."""
    [promised] = supply.promise({offer_id: 1}, buyer="v:someone", at=clock.now())
    return str(promised.certificate_number)


def test_a_paper_that_comes_after_verification_is_shown_once_staff_accepted_it() -> None:
    seller, staff = licensed(), builders.account(Role.STAFF)
    actions.submit(seller.id)
    actions.verify(seller.id, staff.id)
    offer = builders.offer(builders.lot(builders.product(seller)))
    assert numbers_shown(offer.id) == "91500234"
    late = actions.add_certificate(
        seller.id, None, kind="organic", number="ORG-1", upload=picture()
    )
    assert late.state is CertificateState.PENDING
    assert numbers_shown(offer.id) == "91500234"
    actions.accept_certificate(late.id, staff.id)
    assert numbers_shown(offer.id) == "ORG-1"
    actions.return_certificate(late.id, staff.id, "看不清编号，重新拍一张")
    assert numbers_shown(offer.id) == "91500234"
    acts = list(db.session.scalars(select(AuditEntry.act).order_by(AuditEntry.id)))
    assert acts == ["seller_verified", "certificate_accepted", "certificate_returned"]


def test_a_returned_paper_is_neither_accepted_nor_enough_to_be_verified() -> None:
    seller, staff = licensed(), builders.account(Role.STAFF)
    [licence] = db.session.scalars(select(Certificate))
    with pytest.raises(Conflict) as early:
        actions.accept_certificate(licence.id, staff.id)
    assert early.value.code == "seller_not_verified"
    assert licence.reviewed_at is None
    actions.submit(seller.id)
    actions.verify(seller.id, staff.id)
    with pytest.raises(Invalid):
        actions.return_certificate(licence.id, staff.id, "  ")
    assert licence.state is CertificateState.ACCEPTED
    actions.return_certificate(licence.id, staff.id, "看不清编号")
    with pytest.raises(Conflict) as refusal:
        actions.accept_certificate(licence.id, staff.id)
    assert refusal.value.code == "wrong_state"
    actions.return_to_seller(seller.id, staff.id, "执照重新拍")
    with pytest.raises(Invalid):
        actions.submit(seller.id)
    assert state_of(seller) is SellerState.RETURNED
    assert licence.return_reason == "看不清编号"
