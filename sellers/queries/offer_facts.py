"""What the page of one offer reads, in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import (
    Date,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from kernel import clock
from kernel.reads import Read
from sellers import certificates
from sellers.model import (
    BenefitPlan,
    Certificate,
    Household,
    HouseholdStatus,
    Lot,
    Offer,
    Place,
    Product,
    Seller,
    SellerState,
)
from sellers.queries.storefront import Card, select_cards


class CertificateFacts(NamedTuple):
    """A certificate that is accepted and valid today."""

    kind: str
    number: str
    issued_by: str
    valid_until: date | None


class PlanFacts(NamedTuple):
    """How a seller's income reaches households: a benefit plan, as a buyer reads it.

    `note` is what the seller adds in its own words.
    """

    kind: str
    basis_points: int
    note_zh: str
    note_en: str


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What a product page shows beyond the card.

    `promised` and `offered` are units of the lot. `certificates` are those accepted and valid
    today, the product's own first; `plans` say how what these goods bring reaches households, one
    of a kind, the newest first.
    """

    card: Card
    certificates: list[CertificateFacts]
    plans: list[PlanFacts]
    keeping: str
    lot_code: str
    promised: int
    offered: int
    households_count: int
    registered_count: int
    story_zh: str
    story_en: str


_DAY = select(bindparam("day", type_=Date)).scalar_subquery()
_CERTIFICATES = (
    select(
        func.json_agg(
            aggregate_order_by(
                func.json_build_array(
                    Certificate.kind,
                    Certificate.number,
                    Certificate.issued_by,
                    Certificate.valid_until,
                ),
                literal_column(certificates.OWN_FIRST),
            )
        )
    )
    .where(text(certificates.counts("offer", "(SELECT CAST(:day AS date))")))
    .scalar_subquery()
)
_HOUSEHOLD = exists().where(Household.seller_id == Offer.seller_id, Household.share_weight > 0)
# What a settlement of these goods pays by: deliveries are known by household in rounds alone.
_REACHES = or_(
    BenefitPlan.kind == "wage",
    and_(BenefitPlan.kind == "delivery", Offer.place == Place.ROUND),
    and_(BenefitPlan.kind == "shares", _HOUSEHOLD),
    and_(
        BenefitPlan.kind == "second",
        # What `Household.is_registered` tells.
        _HOUSEHOLD.where(
            Household.status == HouseholdStatus.REGISTERED,
            or_(Household.status_until.is_(None), Household.status_until >= _DAY),
        ),
    ),
)
_PLANS = (
    select(
        func.json_agg(
            aggregate_order_by(
                func.json_build_array(
                    BenefitPlan.kind,
                    BenefitPlan.basis_points,
                    BenefitPlan.note_zh,
                    BenefitPlan.note_en,
                ),
                BenefitPlan.starts_on.desc(),
                BenefitPlan.id.desc(),
            )
        )
    )
    .where(BenefitPlan.seller_id == Offer.seller_id, BenefitPlan.starts_on <= _DAY, _REACHES)
    .correlate(Offer)
    .scalar_subquery()
)
_FACTS = Read(
    select_cards()
    .add_columns(
        Product.keeping,
        Lot.code,
        Lot.promised,
        Lot.offered,
        Seller.households_count,
        Seller.registered_count,
        Seller.story_zh,
        Seller.story_en,
        _CERTIFICATES,
        _PLANS,
    )
    .where(
        Offer.public_id == bindparam("code"),
        Seller.state == bindparam("verified", SellerState.VERIFIED, literal_execute=True),
    )
)


def offer_by_public_id(public_id: str, day: date | None = None) -> OfferFacts | None:
    """Return the facts of an offer of a verified seller, on sale or not, in one statement.

    None when there is no such offer, or its seller is not verified. `day` (in Shanghai,
    today unless given) decides which certificates are valid.
    """
    rows = _FACTS.rows(code=public_id, day=day or clock.today())
    if not rows:
        return None
    width = len(Card._fields)
    *plain, certificates, plans = rows[0][width:]
    return OfferFacts(
        Card.of(rows[0][:width]),
        [_certificate(*one) for one in certificates or ()],
        _in_force(PlanFacts(*one) for one in plans or ()),
        *plain,
    )


def _in_force(newest_first: Iterable[PlanFacts]) -> list[PlanFacts]:
    """Return the newest plan of each kind: it replaces those before it."""
    by_kind: dict[str, PlanFacts] = {}
    for one in newest_first:
        by_kind.setdefault(one.kind, one)
    return list(by_kind.values())


def _certificate(
    kind: str, number: str, issued_by: str, valid_until: str | None
) -> CertificateFacts:
    """Return a certificate that came as JSON, in which days are text."""
    until = date.fromisoformat(valid_until) if valid_until else None
    return CertificateFacts(kind, number, issued_by, until)
