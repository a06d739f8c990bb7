"""The back office: orders for staff, the ledger for whoever audits it."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel import ledger
from kernel.db import db
from kernel.identity import Role, issue_token
from orders import books
from orders.model import Order, OrderState
from tests import builders
from tests.marketplace import market_day


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
    for words in ("付款", "应退款", "在线收款", "应退买家", "¥236.00"):
        assert words in page.text
    assert client.get("/office/orders/XNONE", headers=bearer(app, Role.STAFF)).status_code == 404


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
