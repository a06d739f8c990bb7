"""THE crediting rule."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from kernel.db import transaction
from livestream.attribution import Seen, decide, wares
from livestream.model import CreditWindow, ShareLink, Touch
from orders.model import CreditKind, CreditSource
from orders.placing import Buyer
from sellers.model import Place
from tests import builders

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
SHOP, LIVE, OTHER_LIVE, LINK, ROUND = 1, 2, 3, 4, 5


def seen(kind: CreditKind, source: int, hours_ago: int) -> Seen:
    return Seen(kind, f"code-{source}", source, NOW - timedelta(hours=hours_ago))


def test_without_a_touch_the_shop_sold_it() -> None:
    assert decide(Place.SHOP, None, SHOP, []).source_id == SHOP


def test_the_latest_broadcast_goes_before_any_share_link() -> None:
    touches = [
        seen(CreditKind.SHARE, LINK, 1),
        seen(CreditKind.BROADCAST, LIVE, 5),
        seen(CreditKind.BROADCAST, OTHER_LIVE, 9),
    ]
    credited = decide(Place.SHOP, None, SHOP, touches)
    assert credited.source_id == LIVE
    assert set(credited.assists) == {LINK, OTHER_LIVE}


def test_a_share_link_is_credited_when_there_was_no_broadcast() -> None:
    assert decide(Place.SHOP, None, SHOP, [seen(CreditKind.SHARE, LINK, 1)]).source_id == LINK


def test_an_offer_in_a_place_credits_that_place_whatever_was_touched() -> None:
    credited = decide(Place.ROUND, ROUND, SHOP, [seen(CreditKind.BROADCAST, LIVE, 1)])
    assert credited.source_id == ROUND
    assert credited.assists == (LIVE,)


def test_a_code_counts_as_the_latest_touch_only_if_it_was_touched() -> None:
    touches = [seen(CreditKind.BROADCAST, LIVE, 1), seen(CreditKind.BROADCAST, OTHER_LIVE, 9)]
    assert decide(Place.SHOP, None, SHOP, touches, f"code-{OTHER_LIVE}").source_id == OTHER_LIVE
    assert decide(Place.SHOP, None, SHOP, touches, "never-seen").source_id == LIVE


@given(
    st.sampled_from(list(Place)),
    st.lists(
        st.tuples(st.sampled_from([CreditKind.BROADCAST, CreditKind.SHARE]), st.integers(2, 9))
    ),
)
def test_there_is_exactly_one_primary_and_it_never_assists(
    place: Place, touched: list[tuple[CreditKind, int]]
) -> None:
    touches = [seen(kind, source, hours) for hours, (kind, source) in enumerate(touched)]
    credited = decide(place, None if place is Place.SHOP else ROUND, SHOP, touches)
    assert credited.source_id not in credited.assists
    assert len(set(credited.assists)) == len(credited.assists)


class TestFromTheDatabase:
    """What is loaded: windows by their version, and nobody's own link."""

    @pytest.fixture(autouse=True)
    def _context(self, app: Flask) -> Iterator[None]:
        with app.app_context():
            builders.credit_source()
            with transaction() as session:
                for kind in (CreditKind.BROADCAST, CreditKind.SHARE):
                    session.add(CreditWindow(kind=kind, days=14, valid_from=NOW - timedelta(99)))
            yield

    def touch(self, source: CreditSource, visitor: str, days_ago: float) -> None:
        with transaction() as session:
            session.add(
                Touch(
                    visitor=visitor,
                    kind=source.kind,
                    code=source.code,
                    credit_source_id=source.id,
                    at=NOW - timedelta(days=days_ago),
                )
            )

    def credited(self, buyer: Buyer) -> int:
        [ware] = wares([builders.offer().public_id], buyer, None, NOW).values()
        return ware.credited.source_id

    def test_a_touch_counts_within_its_window_only(self) -> None:
        live = builders.credit_source(CreditKind.BROADCAST, "live")
        self.touch(live, "early", 14.1)
        self.touch(live, "late", 13.9)
        assert self.credited(Buyer(None, "early")) == builders.credit_source().id
        assert self.credited(Buyer(None, "late")) == live.id

    def test_a_day_of_a_window_has_24_hours_wherever_the_database_stands(self) -> None:
        live = builders.credit_source(CreditKind.BROADCAST, "live")
        self.touch(live, "early", 14 + 1 / 48)
        self.touch(live, "late", 14 - 1 / 48)
        # Fourteen days before this, clocks in Berlin stood another way.
        after_the_change, offer = datetime(2026, 4, 5, 12, tzinfo=UTC), builders.offer().public_id
        with transaction() as session:
            by = NOW - after_the_change
            session.execute(update(Touch).values(at=Touch.at - by))
            session.execute(update(CreditWindow).values(valid_from=CreditWindow.valid_from - by))
            session.execute(text("SET LOCAL TIME ZONE 'Europe/Berlin'"))
            for visitor, source in (("early", builders.credit_source().id), ("late", live.id)):
                buyer = Buyer(None, visitor)
                [ware] = wares([offer], buyer, None, after_the_change).values()
                assert ware.credited.source_id == source

    def test_the_window_in_force_at_the_sale_decides(self) -> None:
        live = builders.credit_source(CreditKind.BROADCAST, "live")
        self.touch(live, "one", 5)
        with transaction() as session:
            session.add(
                CreditWindow(kind=CreditKind.BROADCAST, days=3, valid_from=NOW - timedelta(hours=1))
            )
        assert self.credited(Buyer(None, "one")) == builders.credit_source().id

    def test_one_visitors_touch_credits_nobody_elses_purchase(self) -> None:
        live = builders.credit_source(CreditKind.BROADCAST, "live")
        self.touch(live, "one", 1)
        assert self.credited(Buyer(None, "two")) == builders.credit_source().id

    def test_nobody_is_credited_for_buying_through_their_own_link(self) -> None:
        owner, link = builders.account(), builders.credit_source(CreditKind.SHARE, "mine")
        with transaction() as session:
            session.add(
                ShareLink(
                    code="mine", title_zh="推广码", owner_id=owner.id, credit_source_id=link.id
                )
            )
        self.touch(link, "one", 1)
        assert self.credited(Buyer(owner.id, "one")) == builders.credit_source().id
        assert self.credited(Buyer(None, "one")) == link.id
