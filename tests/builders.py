"""Small valid things to start a test from. Each is committed and returned."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import select

from kernel import clock
from kernel.db import transaction
from kernel.identity import (
    Account,
    Membership,
    Organisation,
    OrganisationKind,
    Role,
)
from orders.actions import settlement
from orders.model import BuyingUnit, CreditKind, CreditSource
from orders.placing import Buyer, Credited
from sellers.model import (
    Category,
    Household,
    HouseholdStatus,
    Lot,
    LotMode,
    Offer,
    Place,
    Product,
    Seller,
    SellerKind,
    SellerState,
)
from sellers.search import write_terms

PASSWORD = "a-long-password"
# As good as any other hash, and looked at in a fiftieth of the time.
_PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
_count = itertools.count(1)


def organisation(kind: OrganisationKind, name_zh: str = "某单位", **values: Any) -> Organisation:
    """An organisation of `kind`."""
    with transaction() as session:
        code = values.pop("code", f"{kind}-{next(_count)}")
        made = Organisation(kind=kind, code=code, name_zh=name_zh, name_en="", **values)
        session.add(made)
    return made


def account(role: Role | None = None, of: Organisation | None = None, **values: Any) -> Account:
    """An account that signs in with PASSWORD, with a role in an organisation if given."""
    with transaction() as session:
        made = Account(
            login=values.pop("login", f"person-{next(_count)}"),
            password_hash=_PASSWORD_HASH,
            name_zh=values.pop("name_zh", "某岗位"),
            **values,
        )
        session.add(made)
        session.flush()
        session.add(Membership(account_id=made.id, role=Role.CONSUMER))
        if role is not None and role is not Role.CONSUMER:
            session.add(
                Membership(account_id=made.id, role=role, organisation_id=of.id if of else None)
            )
    return made


def of_every_role() -> Account:
    """Somebody who holds every role that a person can hold, all of them with one seller."""
    made, of = account(), seller().organisation
    with transaction() as session:
        for role in Role:
            if role not in (Role.VISITOR, Role.CONSUMER, Role.DEVICE):
                session.add(Membership(account_id=made.id, role=role, organisation_id=of.id))
    return made


def seller(state: SellerState = SellerState.VERIFIED, **values: Any) -> Seller:
    """A cooperative, verified unless said otherwise."""
    base = organisation(OrganisationKind.SELLER, values.pop("name_zh", "某村合作社"))
    with transaction() as session:
        made = Seller(
            id=base.id,
            kind=SellerKind.COOPERATIVE,
            province="重庆市",
            city="重庆市",
            county="渝北区",
            state=state,
            **values,
        )
        session.add(made)
    return made


def household(of: Seller, **values: Any) -> Household:
    """A registered household behind a seller."""
    with transaction() as session:
        made = Household(
            seller_id=of.id,
            number=values.pop("number", f"{next(_count):05d}"),
            name=values.pop("name", "某户主"),
            status=values.pop("status", HouseholdStatus.REGISTERED),
            **values,
        )
        session.add(made)
    return made


def product(of: Seller, **values: Any) -> Product:
    """A box of oranges."""
    with transaction() as session:
        made = Product(
            seller_id=of.id,
            name_zh=values.pop("name_zh", "春橙"),
            category=values.pop("category", Category.FRUIT),
            unit_name=values.pop("unit_name", "箱"),
            unit_g=values.pop("unit_g", 5000),
            **values,
        )
        write_terms(made, session.get_one(Seller, of.id))
        session.add(made)
    return made


def lot(of: Product, offered: int = 100, mode: LotMode = LotMode.IN_HAND, **values: Any) -> Lot:
    """A lot of `offered` units; in the field it is harvested within the next fortnight."""
    if mode is LotMode.IN_FIELD:
        day: date = clock.today()
        values.setdefault("harvest_from", day + timedelta(days=7))
        values.setdefault("harvest_to", day + timedelta(days=14))
    with transaction() as session:
        made = Lot(seller_id=of.seller_id, product_id=of.id, mode=mode, offered=offered, **values)
        session.add(made)
    return made


def offer(
    of: Lot | None = None, price_fen: int = 5900, place: Place = Place.SHOP, **values: Any
) -> Offer:
    """An offer on sale now; without a lot, of a new seller's new product."""
    if of is None:
        of = lot(product(seller()))
    with transaction() as session:
        made = Offer(
            lot_id=of.id,
            seller_id=of.seller_id,
            product_id=of.product_id,
            place=place,
            price_fen=price_fen,
            opens_at=values.pop("opens_at", clock.now() - timedelta(minutes=1)),
            **values,
        )
        session.add(made)
    return made


def credit_source(kind: CreditKind = CreditKind.SHOP, code: str = "shop") -> CreditSource:
    """What a sale is credited to; the one there is, if there is one."""
    with transaction() as session:
        found = session.scalar(
            select(CreditSource).where(CreditSource.kind == kind, CreditSource.code == code)
        )
        if found is None:
            found = CreditSource(kind=kind, code=code, title_zh=f"{kind} {code}")
            session.add(found)
            session.flush()
    return found


def credited_to_shop(*offers: Offer, source: CreditSource | None = None) -> dict[int, Credited]:
    """Every offer credited to `source`, or to the shop."""
    credited = Credited((source or credit_source()).id)
    return {one.id: credited for one in offers}


def buyer() -> Buyer:
    """A new guest."""
    return Buyer(account_id=None, visitor=f"visitor-{next(_count)}")


def pay_out(settlement_id: int, reference: str) -> None:
    """Pay a settlement out, as two members of staff do."""
    settlement.propose_payout(
        settlement_id, reference, reason="签收单齐了", account_id=account(Role.STAFF).id
    )
    settlement.approve_payout(settlement_id, account_id=account(Role.STAFF).id)


def return_payout(settlement_id: int, reference: str) -> None:
    """Record that the bank returned a payout, as two members of staff do."""
    settlement.propose_return(
        settlement_id, reference, reason="账号已销户", account_id=account(Role.STAFF).id
    )
    settlement.approve_return(settlement_id, account_id=account(Role.STAFF).id)


def buying_unit(**values: Any) -> BuyingUnit:
    """An office with a hundred people."""
    base = organisation(OrganisationKind.BUYING_UNIT, values.pop("name_zh", "某机关"))
    with transaction() as session:
        made = BuyingUnit(
            id=base.id, kind="office", city="重庆市", staff=values.pop("staff", 100), **values
        )
        session.add(made)
    return made
