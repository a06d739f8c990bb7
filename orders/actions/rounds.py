"""What staff do with a round: plan it, give sellers their legs, put lots on offer in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from kernel import clock
from kernel.access import found
from kernel.db import public_code, transaction
from kernel.errors import Conflict, Invalid, Text
from orders.model import CreditKind, CreditSource, Round, RoundLeg, RoundOffer
from sellers.actions import OfferTerms, list_offer, set_windows, withdraw_offer
from sellers.model import Lot, Offer, Place, Seller, SellerState

MAX_PAY_WITHIN_H = 30 * 24


class RoundProcessed(Conflict):
    """The round has closed and its harvest notices are out."""

    code = "round_processed"
    message = _l("这一期已经截单，采收通知也发出了，不能再改。为新的一批另开一期。")


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """What staff say about a round: words, its hours, its harvest and its hand-over."""

    title_zh: str
    opens_at: datetime
    closes_at: datetime
    harvest_from: date
    harvest_to: date
    handover_on: date
    title_en: str = ""
    region: str = ""
    handover_place: str = ""
    pay_within_h: int = 48


def create_round(plan: RoundPlan, *, code: str | None = None) -> Round:
    """Create a round with its own credit source and return it.

    Raises Invalid when its dates do not follow one another, or it would close in the past.
    """
    _check(plan)
    if plan.closes_at <= clock.now():
        raise Invalid(fields={"closes_at": _l("截单时间要在以后。")})
    code = code or f"r{clock.local(plan.closes_at):%Y%m%d}-{public_code(4)}"
    with transaction() as session:
        source = CreditSource(
            kind=CreditKind.ROUND, code=code, title_zh=plan.title_zh, title_en=plan.title_en
        )
        session.add(source)
        session.flush()
        made = Round(code=code, credit_source_id=source.id, **asdict(plan))
        session.add(made)
        session.flush()
    return made


def revise_round(round_id: int, plan: RoundPlan) -> Round:
    """Change a round that was not processed yet; its offers' windows follow.

    A leg that was cut off with the round stays with it; an earlier cut-off stays, but never
    later than the round's. Raises NotFound, RoundProcessed, or Invalid as `create_round`, and
    for a round that would open when one of its legs is already cut off.
    """
    _check(plan)
    with transaction() as session:
        kept = _changeable(session, round_id)
        if plan.closes_at <= clock.now():
            raise Invalid(fields={"closes_at": _l("截单时间要在以后。")})
        closed_before = kept.closes_at
        if any(
            min(leg.cutoff_at, plan.closes_at) <= plan.opens_at
            for leg in kept.legs
            if leg.cutoff_at != closed_before
        ):
            raise Invalid(
                fields={"opens_at": _l("有一家供货方那时已经截单。先改它的截单，或者早一点开始。")}
            )
        for name, value in asdict(plan).items():
            setattr(kept, name, value)
        kept.credit.title_zh, kept.credit.title_en = plan.title_zh, plan.title_en
        for leg in kept.legs:
            with_round = leg.cutoff_at == closed_before
            leg.cutoff_at = plan.closes_at if with_round else min(leg.cutoff_at, plan.closes_at)
        _open_offers(session, kept)
    return kept


def set_leg(round_id: int, seller_id: int, cutoff_at: datetime | None = None) -> RoundLeg:
    """Give a seller its leg of a round, or change its cut-off; None means the round's own.

    Raises NotFound, RoundProcessed, and Invalid for a seller that is not verified or a
    cut-off outside the round's hours.
    """
    with transaction() as session:
        kept = _changeable(session, round_id)
        seller = found(session.get(Seller, seller_id))
        if seller.state is not SellerState.VERIFIED:
            raise Invalid(fields={"seller": _l("这家供货方还没有通过核验。")})
        cutoff = cutoff_at or kept.closes_at
        if not kept.opens_at < cutoff <= kept.closes_at:
            raise Invalid(fields={"cutoff_at": _l("要在这一期开始之后，不晚于截单。")})
        leg = session.scalar(
            select(RoundLeg).where(RoundLeg.round_id == kept.id, RoundLeg.seller_id == seller_id)
        )
        if leg is None:
            leg = RoundLeg(round_id=kept.id, seller_id=seller_id, cutoff_at=cutoff)
            session.add(leg)
        leg.cutoff_at = cutoff
        session.flush()
        _open_offers(session, kept)
    return leg


def add_offer(
    round_id: int,
    lot_id: int,
    price_fen: int,
    *,
    quota: int | None = None,
    limit_per_buyer: int | None = None,
) -> Offer:
    """Put a lot on offer in a round, from its opening to its seller's cut-off.

    The seller's leg is made when there is none. Raises NotFound, RoundProcessed, Conflict
    when the lot already stands in the round, and what `sellers.actions.list_offer` raises.
    """
    with transaction() as session:
        kept = _changeable(session, round_id)
        lot = found(session.get(Lot, lot_id))
        twice = session.scalar(
            select(RoundOffer.id)
            .join(Offer, Offer.id == RoundOffer.offer_id)
            .where(
                RoundOffer.round_id == kept.id,
                Offer.lot_id == lot.id,
                Offer.withdrawn_at.is_(None),
            )
        )
        if twice:
            raise Conflict(_l("这一批已经在这一期里了。要改价，先撤下再放。"), code="lot_in_round")
        leg = session.scalar(
            select(RoundLeg).where(
                RoundLeg.round_id == kept.id, RoundLeg.seller_id == lot.seller_id
            )
        ) or set_leg(kept.id, lot.seller_id)
        terms = OfferTerms(
            price_fen=price_fen,
            quota=quota,
            limit_per_buyer=limit_per_buyer,
            opens_at=kept.opens_at,
            closes_at=leg.cutoff_at,
        )
        offer = list_offer(lot.id, Place.ROUND, terms)
        session.add(RoundOffer(round_id=kept.id, leg_id=leg.id, offer_id=offer.id))
        session.flush()
    return offer


def remove_offer(round_id: int, offer_public_id: str) -> None:
    """Withdraw an offer from a round. Raises NotFound, and Conflict once somebody ordered it."""
    with transaction() as session:
        kept = _changeable(session, round_id)
        offer = found(
            session.scalar(
                select(Offer)
                .join(RoundOffer, RoundOffer.offer_id == Offer.id)
                .where(RoundOffer.round_id == kept.id, Offer.public_id == offer_public_id)
                .with_for_update(of=Offer)
                .execution_options(populate_existing=True)
            )
        )
        if offer.sold:
            raise Conflict(
                _l("已经有人订了，不能撤下。可以给这家供货方提前截单。"), code="offer_ordered"
            )
        withdraw_offer(offer.id)


def _changeable(session: Session, round_id: int) -> Round:
    """Return the round, locked, unless it was processed."""
    kept = found(
        session.scalar(
            select(Round)
            .where(Round.id == round_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    if kept.processed_at is not None:
        raise RoundProcessed()
    return kept


def _open_offers(session: Session, kept: Round) -> None:
    """Let the window of every offer be the round's opening and its leg's cut-off."""
    rows = session.execute(
        select(RoundOffer.offer_id, RoundLeg.cutoff_at)
        .join(RoundLeg, RoundLeg.id == RoundOffer.leg_id)
        .where(RoundOffer.round_id == kept.id)
    )
    set_windows({row.offer_id: (kept.opens_at, row.cutoff_at) for row in rows})


def _check(plan: RoundPlan) -> None:
    clock.check_years(
        opens_at=plan.opens_at,
        closes_at=plan.closes_at,
        harvest_from=plan.harvest_from,
        harvest_to=plan.harvest_to,
        handover_on=plan.handover_on,
    )
    wrong: Mapping[str, tuple[bool, Text]] = {
        "title_zh": (not 0 < len(plan.title_zh.strip()) <= 80, _l("给这一期起个名字，80 字以内。")),
        "closes_at": (plan.closes_at <= plan.opens_at, _l("截单要晚于开始。")),
        "harvest_from": (
            plan.harvest_from < clock.local(plan.closes_at).date(),
            _l("先截单，再采收：不早于截单那天。"),
        ),
        "harvest_to": (plan.harvest_to < plan.harvest_from, _l("不早于采收的第一天。")),
        "handover_on": (plan.handover_on < plan.harvest_from, _l("不早于采收的第一天。")),
        "pay_within_h": (
            not 1 <= plan.pay_within_h <= MAX_PAY_WITHIN_H,
            _l("填 1 到 720 之间的小时数。"),
        ),
    }
    fields = {name: text for name, (bad, text) in wrong.items() if bad}
    if fields:
        raise Invalid(fields=fields)
