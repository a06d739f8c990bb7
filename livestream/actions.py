"""What hosts, organisers and visitors do: plan, pin, show, start, end, report, share, touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kernel import clock
from kernel.access import Viewer, found
from kernel.db import db, public_code, transaction
from kernel.errors import Conflict, Invalid
from kernel.identity import Role
from kernel.language import of_unit
from livestream.model import (
    Broadcast,
    BroadcastKind,
    BroadcastOffer,
    OutsideRoom,
    ReportedFigure,
    ShareLink,
    Touch,
)
from orders.model import CreditKind, CreditSource
from sellers.actions import (
    OfferTerms,
    list_offer,
    open_offers,
    raise_quota,
    withdraw_offers,
)
from sellers.model import Lot, Offer, Place, Seller, SellerState

NOT_BEFORE_IT_IS_LIVE = datetime(2199, 12, 31, tzinfo=UTC)
"""When an offer opens whose broadcast has not begun: going live lets it open then."""
MAX_VIEWS = 10**10
MAX_ROOMS = 10
MAX_ROOM_LENGTH = 120
TOUCH_AGAIN = timedelta(minutes=30)
"""A visitor who comes back within this time is the same visit."""


LATE = timedelta(minutes=10)
"""How long ago a planned beginning may lie: whoever fills in a form is not quick."""


@dataclass(frozen=True)
class Plan:
    """What a host says of a broadcast before it starts. Planned times decide nothing."""

    title_zh: str
    title_en: str
    kind: BroadcastKind
    platform: str
    place_zh: str
    planned_from: datetime
    planned_to: datetime
    outside_rooms: Sequence[str] = ()


def plan_broadcast(viewer: Viewer, plan: Plan) -> Broadcast:
    """Create a broadcast whose host is `viewer`, with its own credit source. Raises Invalid."""
    if not plan.title_zh.strip():
        raise Invalid(fields={"title_zh": _l("给这一场起个名字。")})
    clock.check_years(planned_from=plan.planned_from, planned_to=plan.planned_to)
    if plan.planned_from < clock.now() - LATE:
        message = _l("计划开始的时间已经过了。选现在或以后的时间。")
        raise Invalid(fields={"planned_from": message})
    if plan.planned_to <= plan.planned_from:
        raise Invalid(fields={"planned_to": _l("结束要晚于开始。")})
    code = public_code(8)
    with transaction() as session:
        source = CreditSource(
            kind=CreditKind.BROADCAST, code=code, title_zh=plan.title_zh, title_en=plan.title_en
        )
        session.add(source)
        session.flush()
        hosts = viewer.organisations(Role.HOST)
        made = Broadcast(
            code=code,
            kind=plan.kind,
            title_zh=plan.title_zh.strip(),
            title_en=plan.title_en.strip(),
            platform=plan.platform.strip(),
            place_zh=plan.place_zh.strip(),
            host_id=viewer.account_id,
            organiser_id=hosts[0] if hosts else None,
            credit_source_id=source.id,
            planned_from=plan.planned_from,
            planned_to=plan.planned_to,
            outside_rooms=_outside_rooms(session, plan),
        )
        session.add(made)
        session.flush()
    return made


def _outside_rooms(session: Session, plan: Plan) -> list[OutsideRoom]:
    """Return every id that the platform has for the broadcast. Raises Invalid."""
    platform = plan.platform.strip()
    rooms = list(dict.fromkeys(room.strip() for room in plan.outside_rooms if room.strip()))
    if not rooms:
        return []
    if not platform:
        raise Invalid(fields={"platform": _l("写了房间号，也要写是哪个平台。")})
    if len(rooms) > MAX_ROOMS or any(len(room) > MAX_ROOM_LENGTH for room in rooms):
        raise Invalid(fields={"outside_rooms": _l("最多 10 个房间号，每个最多 120 个字。")})
    taken = session.scalars(
        select(OutsideRoom.room).where(
            OutsideRoom.platform == platform, OutsideRoom.room.in_(rooms)
        )
    ).first()
    if taken is not None:
        words = _l("房间号 %(room)s 已经记在另一场。核对一下。", room=taken)
        raise Invalid(fields={"outside_rooms": words})
    return [OutsideRoom(platform=platform, room=room) for room in rooms]


def hosted(viewer: Viewer, code: str, *, lock: bool = False) -> Broadcast:
    """Return the broadcast `code` for its host, its organiser or staff; NotFound for others.

    With `lock` its row is locked until the end of the surrounding transaction().
    """
    query = select(Broadcast).where(Broadcast.code == code)
    if not viewer.has(Role.STAFF):
        query = query.where(
            (Broadcast.host_id == viewer.account_id)
            | Broadcast.organiser_id.in_(viewer.organisations(Role.HOST))
        )
    if lock:
        query = query.with_for_update()
    return found(db.session.scalar(query))


def readable(viewer: Viewer, code: str) -> Broadcast:
    """Return the broadcast `code` for whoever may see its figures; NotFound for others."""
    if not viewer.has(Role.AUDITOR, Role.ADMIN):
        return hosted(viewer, code)
    return found(db.session.scalar(select(Broadcast).where(Broadcast.code == code)))


@dataclass(frozen=True)
class Pin:
    """A lot to be sold in a broadcast: its price there, its quota, the limit per buyer."""

    lot_public_id: str
    price_fen: int
    quota: int
    limit_per_buyer: int | None = None


def pin_offer(viewer: Viewer, code: str, pin: Pin) -> BroadcastOffer:
    """Put a lot on sale in a broadcast at its own price. On sale only while it is live.

    Raises NotFound for a lot that is not a verified seller's, Conflict once the broadcast has
    ended, Invalid for more than the lot has, and what `sellers.actions.list_offer` raises:
    Invalid below the seller's own floor.
    """
    with transaction() as session:
        broadcast = hosted(viewer, code, lock=True)
        _check_not_ended(broadcast)
        lot = found(
            session.scalar(
                select(Lot)
                .join(Seller, Lot.seller_id == Seller.id)
                .where(Lot.public_id == pin.lot_public_id, Seller.state == SellerState.VERIFIED)
            )
        )
        if pin.quota > lot.left:
            left = of_unit(lot.left, lot.product.unit_name)
            raise Invalid(fields={"quota": _l("这一批只剩 %(left)s，不能写得更多。", left=left)})
        terms = OfferTerms(
            price_fen=pin.price_fen,
            quota=pin.quota,
            limit_per_buyer=pin.limit_per_buyer,
            opens_at=None if broadcast.is_live else NOT_BEFORE_IT_IS_LIVE,
        )
        offer = list_offer(lot.id, Place.BROADCAST, terms)
        last = session.scalar(
            select(func.max(BroadcastOffer.position)).where(
                BroadcastOffer.broadcast_id == broadcast.id
            )
        )
        pinned = BroadcastOffer(
            broadcast_id=broadcast.id, offer_id=offer.id, position=(last or 0) + 1
        )
        session.add(pinned)
        session.flush()
    return pinned


def _check_not_ended(broadcast: Broadcast) -> None:
    if broadcast.ended_at is not None:
        raise Conflict(_l("这一场已经结束，不能再加。新建一场再加。"), code="broadcast_ended")


def add_quota(viewer: Viewer, code: str, offer_public_id: str, units: int) -> Offer:
    """Raise a pinned offer's quota by `units`, up to what its lot still has.

    Raises Conflict for more than that, and once the broadcast has ended or the seller withdrew
    the offer.
    """
    with transaction() as session:
        broadcast = hosted(viewer, code, lock=True)
        _check_not_ended(broadcast)
        offer_id = session.scalar(
            select(Offer.id)
            .join(BroadcastOffer)
            .where(BroadcastOffer.broadcast_id == broadcast.id, Offer.public_id == offer_public_id)
        )
        return raise_quota(found(offer_id), units)


def _pins(broadcast: Broadcast) -> Sequence[BroadcastOffer]:
    with transaction() as session:
        return session.scalars(
            select(BroadcastOffer)
            .where(BroadcastOffer.broadcast_id == broadcast.id)
            .order_by(BroadcastOffer.offer_id)
        ).all()


def start(viewer: Viewer, code: str) -> Broadcast:
    """Go live: pinned offers are on sale from now, but for those their seller withdrew before.

    Starting twice changes nothing.
    """
    with transaction():
        broadcast = hosted(viewer, code, lock=True)
        if broadcast.ended_at is not None:
            raise Conflict(_l("这一场已经结束。新建一场再开播。"), code="broadcast_ended")
        if broadcast.started_at is None:
            now = clock.now()
            broadcast.started_at = now
            pins = _pins(broadcast)
            open_offers([pin.offer_id for pin in pins], now)
            if pins:
                min(pins, key=lambda pin: pin.position).shown_at = now
    return broadcast


def end(viewer: Viewer, code: str) -> Broadcast:
    """End it: pinned offers are no longer on sale. Ending twice changes nothing."""
    with transaction():
        broadcast = hosted(viewer, code, lock=True)
        if broadcast.started_at is None:
            raise Conflict(_l("还没有开播，不用结束。"), code="broadcast_not_started")
        if broadcast.ended_at is None:
            now = clock.now()
            broadcast.ended_at = now
            withdraw_offers([pin.offer_id for pin in _pins(broadcast)], now)
    return broadcast


def show_next(viewer: Viewer, code: str) -> BroadcastOffer | None:
    """Put the next pinned offer before the viewers, round and round.

    None when none is pinned, and once the broadcast has ended: then nothing changes.
    """
    with transaction():
        broadcast = hosted(viewer, code, lock=True)
        pins = sorted(_pins(broadcast), key=lambda pin: pin.position)
        if not pins or broadcast.ended_at is not None:
            return None
        shown = max(
            range(len(pins)),
            key=lambda i: (pins[i].shown_at is not None, pins[i].shown_at or broadcast.created_at),
        )
        following = pins[(shown + 1) % len(pins)] if pins[shown].shown_at else pins[0]
        following.shown_at = clock.now()
    return following


def report_views(viewer: Viewer, code: str, views: int) -> ReportedFigure:
    """Record how many viewers an outside platform shows: a told figure, never a measured one."""
    if not 0 <= views <= MAX_VIEWS:
        raise Invalid(fields={"views": _l("观看数是 0 以上的整数。")})
    with transaction() as session:
        broadcast = hosted(viewer, code)
        figure = ReportedFigure(
            broadcast_id=broadcast.id,
            name="views",
            value=views,
            reporter_zh="场务填报",
            reporter_en="reported by the host's team",
        )
        session.add(figure)
    return figure


def make_share_link(
    viewer: Viewer, title_zh: str, title_en: str = "", offer_public_id: str | None = None
) -> ShareLink:
    """Create a share link of `viewer`, to one offer or to the shop. It pays no commission."""
    if not 0 < len(title_zh.strip()) <= 80:
        raise Invalid(fields={"title_zh": _l("给推广码起个名字，80 字以内。")})
    code = public_code(8)
    with transaction() as session:
        offer_id = None
        if offer_public_id:
            offer_id = found(
                session.scalar(select(Offer.id).where(Offer.public_id == offer_public_id))
            )
        source = CreditSource(
            kind=CreditKind.SHARE, code=code, title_zh=title_zh.strip(), title_en=title_en.strip()
        )
        session.add(source)
        session.flush()
        made = ShareLink(
            code=code,
            title_zh=title_zh.strip(),
            title_en=title_en.strip(),
            owner_id=viewer.account_id,
            offer_id=offer_id,
            credit_source_id=source.id,
        )
        session.add(made)
        session.flush()
    return made


def touch(source: CreditSource, visitor: str, account_id: int | None) -> None:
    """Remember that a visitor came through `source`; coming back soon is the same visit."""
    now = clock.now()
    with transaction() as session:
        last = session.execute(
            select(Touch.credit_source_id, Touch.at)
            .where(Touch.visitor == visitor)
            .order_by(Touch.at.desc())
            .limit(1)
        ).first()
        same = last is not None and last.credit_source_id == source.id
        if not (same and last is not None and last.at > now - TOUCH_AGAIN):
            session.add(
                Touch(
                    visitor=visitor,
                    account_id=account_id,
                    kind=source.kind,
                    code=source.code,
                    credit_source_id=source.id,
                    at=now,
                )
            )
