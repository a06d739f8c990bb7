"""What the owner of share links reads of them, and what a visitor meets behind one."""

from __future__ import annotations

import re

from flask import Flask

from kernel import clock
from kernel.db import transaction
from kernel.identity import Role
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
