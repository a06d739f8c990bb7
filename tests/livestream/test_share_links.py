"""What the owner of share links reads of them, and what a visitor meets behind one."""

from __future__ import annotations

import re
from datetime import timedelta

from flask import Flask

from kernel import clock
from kernel.db import transaction
from kernel.identity import Role
from marketplace import filters
from sellers.model import Offer
from tests import builders
from tests.visitors import Visitor


def test_the_owner_reads_what_a_link_opens_and_when_it_is_not_sold_any_more(app: Flask) -> None:
    with app.app_context():
        builders.credit_source()
        offer = builders.offer()
        unit = builders.buying_unit().organisation
        builders.account(Role.OFFICIAL, unit, login="cadre")
        owner, guest = (Visitor(app, app.response_class) for _ in range(2))
        owner.enter("cadre")
        owner.send("/links", title_zh="秋天的橙", offer=offer.public_id)

        def told() -> str:
            page = owner.page("/links")
            return re.sub(r"<[^>]+>|\s", "", page[page.index("<table") : page.index("</table")])

        assert (offer.product.name_zh in told(), "现在不卖" in told()) == (True, False)
        code = re.search(r"/s/(\w+)", owner.page("/links"))
        assert code is not None
        with transaction() as session:
            session.get_one(Offer, offer.id).withdrawn_at = clock.now()
        assert "现在不卖" in told()
        there = guest.get(f"/s/{code[1]}").location
        assert "现在不卖" in guest.page(there)


def test_a_link_to_what_is_not_sold_any_more_shows_what_can_be_bought_instead(app: Flask) -> None:
    with app.app_context():
        builders.credit_source()
        seller = builders.seller()
        gone, same, other = (
            builders.offer(builders.lot(builders.product(seller, name_zh=name), 3))
            for name in ("春橙", "春橙", "小米")
        )
        page = Visitor(app, app.response_class)

        def instead() -> list[str]:
            shown = page.page(f"/offers/{gone.public_id}")
            return re.findall(r'class="row-x" href="/offers/(\w+)"', shown)

        def change(offer: Offer, **values: object) -> None:
            with transaction() as session:
                for name, value in values.items():
                    setattr(session.get_one(Offer, offer.id), name, value)

        assert instead() == []
        change(gone, withdrawn_at=clock.now())
        assert instead() == [same.public_id]
        change(gone, withdrawn_at=None, quota=3, sold=3)
        assert instead() == [same.public_id]
        change(same, quota=3, sold=3)
        assert instead() == [other.public_id]
        change(other, withdrawn_at=clock.now())
        assert instead() == []


def test_what_is_not_sold_yet_says_from_when(app: Flask) -> None:
    with app.app_context():
        builders.credit_source()
        at = clock.now() + timedelta(days=2)
        offer = builders.offer(opens_at=at)
        page = Visitor(app, app.response_class).page(f"/offers/{offer.public_id}")
        assert "还没开卖。" in page
        assert f"{filters.whole(filters.moment(at))} 开卖。" in page
        assert "已经截止" not in page


def test_a_code_on_paper_that_leads_nowhere_any_more_leads_to_the_others(app: Flask) -> None:
    with app.app_context():
        guest = Visitor(app, app.response_class)
        asked = {"/live/gone": "/live", "/cabinets/gone": "/cabinets", "/s/gone": "/offers"}
        for path, others in asked.items():
            answer = guest.get(path)
            assert answer.status_code == 404
            assert f'<a class="btn btn-leaf" href="{others}">' in answer.text, path
