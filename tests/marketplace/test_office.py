"""The back office: orders for staff, the ledger for whoever audits it."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel import audit, ledger
from kernel.audit import Act
from kernel.db import db
from kernel.identity import Role
from kernel.tokens import issue_token
from marketplace.office import words
from orders import books
from orders.model import Order, OrderState, PaymentMethod
from orders.placing import Recipient, place
from tests import builders
from tests.marketplace import market_day
from tests.visitors import Visitor


def bearer(app: Flask, role: Role) -> dict[str, str]:
    with app.app_context():
        return {"Authorization": f"Bearer {issue_token(builders.account(role))}"}


def _number(app: Flask, state: OrderState) -> str:
    with app.app_context():
        return db.session.scalars(select(Order.number).where(Order.state == state)).first() or ""


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
    for said in ("付款", "应退款", "在线收款", "应退买家", "¥236.00"):
        assert said in page.text
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
    page = auditor.page("/ledger/acts?act=order_revealed")
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
    assert "上一页" in second.text
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
    assert f"<code>{head}</code>" in page, "whole, so that it can be copied and compared"
    assert "还没封存</span>" not in page


def test_every_act_and_what_it_is_done_to_has_a_name_on_the_page(
    app: Flask, client: FlaskClient
) -> None:
    assert set(words.ACTS) == set(Act)
    with app.app_context():
        for act in Act:
            audit.note(act, "organisation:one", account_id=None)
    auditor = bearer(app, Role.AUDITOR)
    for act, name in words.ACTS.items():
        page = client.get(f"/ledger/acts?act={act}", headers=auditor).text
        shown = page.split("<tbody>")[1]
        assert str(name) in shown
        assert "organisation" not in shown
