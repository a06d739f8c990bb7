"""The back office: orders for staff, the ledger for whoever audits it."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel import ledger
from kernel.db import db
from kernel.identity import Role
from kernel.second_person import ProposalState
from kernel.tokens import issue_token
from marketplace.office.words import ACTS
from orders import books
from orders.model import Order, OrderState, PaymentMethod
from orders.placing import Recipient, place
from orders.queries.settlement import PAYOUT
from tests import builders
from tests.marketplace import market_day
from tests.visitors import Visitor

ROOT = Path(__file__).parents[2]
NOTED = re.compile(r'audit\.(?:note|reveal)\(\s*f?"([^"]+)"')
"""An act in a line that remembers it."""


def bearer(app: Flask, role: Role) -> dict[str, str]:
    with app.app_context():
        return {"Authorization": f"Bearer {issue_token(builders.account(role))}"}


def _number(app: Flask, state: OrderState) -> str:
    with app.app_context():
        return db.session.scalars(select(Order.number).where(Order.state == state)).first() or ""


def acts_in_the_code() -> set[str]:
    """Every act that some line of the program notes, with what it fills in."""
    filled = {"{to}": ("accepted", "returned"), "{kind}": (PAYOUT,)}
    filled["{state}"] = (ProposalState.DECLINED, ProposalState.WITHDRAWN)
    acts: set[str] = set()
    for package in ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace"):
        for path in (ROOT / package).rglob("*.py"):
            acts |= set(NOTED.findall(path.read_text(encoding="utf-8")))
    for hole, words in filled.items():
        acts = {act.replace(hole, word) for act in acts for word in words}
    return acts


def test_every_act_that_the_program_notes_has_its_words() -> None:
    acts = acts_in_the_code()
    assert {"seller.verify", "payout_declined", "certificate.returned"} <= acts
    assert acts - ACTS.keys() == set()


def test_staff_find_an_order_by_its_number_and_its_state(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        market_day.shop_sales()
    staff = bearer(app, Role.STAFF)
    cancelled, waiting = _number(app, OrderState.CANCELLED), _number(app, OrderState.DUE)
    page = client.get(f"/office/orders?q={cancelled[:6].lower()}", headers=staff)
    assert cancelled in page.text
    assert waiting not in page.text
    page = client.get("/office/orders?state=due", headers=staff)
    assert waiting in page.text
    assert cancelled not in page.text
    assert client.get("/office/orders?q=%25", headers=staff).text.count("/office/orders/X") == 0


def test_an_order_shows_where_its_money_went(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        market_day.shop_sales()
    number = _number(app, OrderState.CANCELLED)
    page = client.get(f"/office/orders/{number}", headers=bearer(app, Role.STAFF))
    assert page.status_code == 200
    for words in ("付款", "应退款", "在线收款", "应退买家", "¥236.00"):
        assert words in page.text
    assert client.get("/office/orders/XNONE", headers=bearer(app, Role.STAFF)).status_code == 404


def test_where_an_order_goes_is_shown_for_a_reason_that_the_auditor_reads(shop: Flask) -> None:
    offer = builders.offer()
    to = Recipient("某收货人", "13800000001", "重庆市", "某路 1 号")
    credited = builders.credited_to_shop(offer)
    number = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE, to).number

    def sent(role: Role) -> Visitor:
        visitor = Visitor(shop, shop.response_class)
        visitor.enter(builders.account(role).login)
        return visitor

    staff, auditor = sent(Role.STAFF), sent(Role.AUDITOR)
    at = f"/office/orders/{number}"
    for page in (staff.page(at), auditor.page(at)):
        assert "138****0001" in page
        assert "某路 1 号" not in page
    assert "某路 1 号" not in staff.page(f"/orders/{number}")
    told = staff.send(f"{at}/recipient", reason=" x ")
    assert told.status_code == 422
    assert "某路 1 号" not in told.text
    for who in (auditor, sent(Role.CONSUMER)):
        assert who.send(f"{at}/recipient", reason="快递退回了").status_code == 403
    assert "快递退回了" not in auditor.page("/ledger/acts")
    assert "某路 1 号" in staff.send(f"{at}/recipient", reason="快递退回了").text
    page = auditor.page("/ledger/acts?act=order.reveal")
    assert "快递退回了" in page
    assert f"订单 {number}" in page
    assert "某收货人" not in page
    assert staff.get("/ledger/acts").status_code == 403


def test_only_staff_and_auditors_see_everybodys_orders(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        market_day.shop_sales()
    number = _number(app, OrderState.CANCELLED)
    for path in ("/office/orders", f"/office/orders/{number}"):
        for role in (Role.CONSUMER, Role.COORDINATOR, Role.CLERK):
            assert client.get(path, headers=bearer(app, role)).status_code == 403


def test_the_ledger_is_paged_by_key_and_narrowed(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        for _ in range(5):
            market_day.shop_sales()
        market_day.round_short()
    auditor = bearer(app, Role.AUDITOR)
    page = client.get("/ledger", headers=auditor)
    assert page.status_code == 200
    assert page.text.count('class="t"') == 30
    following = page.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    second = client.get(following.replace("&amp;", "&"), headers=auditor)
    assert second.status_code == 200
    assert "回第一页" in second.text
    only = client.get("/ledger?kind=settlement", headers=auditor)
    assert only.text.count('class="t"') == 1
    assert "应付供货方 某村合作社" in only.text
    assert client.get("/ledger?cursor=nonsense", headers=auditor).status_code == 422


def test_the_ledger_says_how_much_of_it_is_sealed(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        market_day.shared_sale()
    auditor = bearer(app, Role.AUDITOR)
    assert "还没封存</span>" in client.get("/ledger", headers=auditor).text
    with app.app_context():
        assert ledger.seal(books.BOOK) == 1
        head = ledger.check_chain(books.BOOK).head
    page = client.get("/ledger", headers=auditor).text
    assert head[:8] in page
    assert "还没封存</span>" not in page
