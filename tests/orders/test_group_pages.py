"""Pages of rounds and group orders, without scripts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db, transaction
from kernel.files import StoredFile
from kernel.identity import Account, Role
from orders.actions.closing import close_due_rounds, close_group_order
from orders.actions.group_orders import set_needs
from orders.actions.members import decline
from orders.actions.rounds import add_offer, create_round
from orders.model import GroupOrder, GroupOrderState, Payment, PayMode, PurchaseTarget, Round
from orders.queries import units
from orders.queries.members import membership_in
from orders.queries.rounds import group_order_by_public_id
from sellers.model import LotMode, Offer, Product
from tests import builders
from tests.orders.fairs import fair, official, plan, promised
from tests.statements import counting
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def browser(app: Flask, account: Account | None = None) -> Visitor:
    """A browser, in which `account` is signed in if there is one."""
    visitor = Visitor(app, app.response_class)
    if account is not None:
        assert visitor.enter(account.login).status_code == 302
    return visitor


def text(client: Visitor, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def test_everybody_sees_what_a_round_offers(app: Flask) -> None:
    at = fair()
    client = browser(app)
    assert "11月下旬预订期" in text(client, "/rounds")
    page = text(client, f"/rounds/{at.round.public_id}")
    assert "土鸡蛋" in page
    assert "还没有人订" in page


def test_an_open_round_without_goods_is_shown_to_nobody_and_a_coming_one_says_so(
    app: Flask,
) -> None:
    unit = builders.buying_unit()
    leader = builders.account(Role.COORDINATOR, unit.organisation)
    create_round(plan(title_zh="空着的一期"))
    begins = clock.now() + timedelta(hours=3)
    create_round(plan(title_zh="将来的一期", opens_at=begins))
    page = text(browser(app), "/rounds")
    assert ("空着的一期" in page, "将来的一期" in page) == (False, True)
    assert "供货方还在定" in page
    assert "看看能订什么" not in page
    assert "空着的一期" not in text(browser(app), "/units")
    assert "空着的一期" not in text(browser(app, leader), "/unit/open")
    assert "空着的一期" in text(browser(app, builders.account(Role.STAFF)), "/staff/rounds")


def test_goods_whose_case_is_one_unit_say_nothing_of_cases(app: Flask) -> None:
    at = fair()
    with transaction() as session:
        session.get_one(Product, at.eggs.product_id).case_units = 1
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 5})
    page = text(browser(app), f"/rounds/{at.round.public_id}")
    assert "已订 5 个" in page
    assert ("每箱 1 个" in page, "每箱 10 斤" in page) == (False, True)
    desk = text(browser(app, at.coordinator), f"/unit/orders/{at.group.public_id}")
    assert ("每箱 1 个" in desk, "正好满箱" in desk) == (False, False)


def test_the_photograph_of_a_product_stands_wherever_its_tile_does(app: Flask) -> None:
    at = fair()
    with transaction() as session:
        photo = StoredFile(
            sha256="0" * 64,
            media_type="image/png",
            size_bytes=1,
            original_name="a.png",
            public=True,
        )
        session.add(photo)
        session.flush()
        session.get_one(Product, at.eggs.product_id).photo_id = photo.id
        code = photo.public_id
    placed = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    assert placed is not None
    member, leader = browser(app, at.members[0]), browser(app, at.coordinator)
    needs = f"/needs/{at.group.public_id}"
    for path in (f"/rounds/{at.round.public_id}", needs, "/orders", f"/orders/{placed.number}"):
        assert code in text(member, path), path
    assert code in text(leader, f"/unit/orders/{at.group.public_id}")


def test_a_round_leads_people_to_their_units_order_and_never_to_the_cart(app: Flask) -> None:
    at = fair()
    here, needs = f"/rounds/{at.round.public_id}", f"/needs/{at.group.public_id}"
    page = text(browser(app), here)
    assert ("由单位集体订购" in page, "/cart/lines" in page, needs in page) == (True, False, False)
    member = text(browser(app, at.members[0]), here)
    assert ("/cart/lines" in member, needs in member) == (False, True)


def test_a_link_shows_nobodys_needs(app: Flask) -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    client = browser(app)
    page = text(client, f"/join/{at.group.join_code}")
    assert "土鸡蛋" not in page
    assert client.get(f"/needs/{at.group.public_id}").status_code == 302
    stranger = browser(app, official(builders.buying_unit()))
    text(stranger, f"/needs/{at.group.public_id}", 404)
    assert "svg" in text(client, f"/join/{at.group.join_code}/qr.svg")


def test_a_member_joins_registers_and_changes(app: Flask) -> None:
    at = fair()
    person = builders.account()
    member = browser(app, person)
    join = f"/join/{at.group.join_code}"
    wrong = member.send(join, staff_number="13800000000", department="")
    assert wrong.status_code == 422
    member.send(join, staff_number="0231", department="宣教部")
    assert "已经告诉联系人了" in text(member, join)
    leader = browser(app, at.coordinator)
    page = text(leader, "/unit/members")
    assert "宣教部 0231" in page
    links = {part.split('"')[0] for part in page.split('action="') if "/unit/members/" in part}
    [link] = {one for one in links if not one.endswith("/end")}
    assert leader.send(link, answer="approve").status_code == 302
    needs = f"/needs/{at.group.public_id}"
    assert "存好我要的" in text(member, needs)
    form = {f"n-{at.eggs.public_id}": "30", f"n-{at.ginger.public_id}": "0"}
    assert member.send(needs, **{**form, "idempotency_key": "k1"}).status_code == 302
    assert member.send(needs, **{**form, "idempotency_key": "k1"}).status_code == 302
    assert promised(at.eggs) == (30, 30)
    refused = member.send(needs, **{f"n-{at.eggs.public_id}": "601", "idempotency_key": "k2"})
    assert refused.status_code == 409
    assert "<b>土鸡蛋</b>剩下的不够了" in refused.text
    assert "现在最多 600" in refused.text
    unread = member.send(needs, **{f"n-{at.ginger.public_id}": "-1", "idempotency_key": "k3"})
    assert unread.status_code == 422
    assert "<b>天堂姜</b>数量填 0 到" in unread.text
    assert "data-focus" in unread.text, "whoever cannot see the page is taken to the reason"
    assert promised(at.eggs) == (30, 30)


def test_a_coordinator_sees_how_far_it_is_and_closes(app: Flask) -> None:
    at = fair(PayMode.UNIT)
    with transaction() as session:
        session.add(
            PurchaseTarget(
                unit_id=at.unit.id, year=clock.today().year, budget_fen=9_600_000, basis_points=1500
            )
        )
    placed = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 35})
    leader = browser(app, at.coordinator)
    page = text(leader, "/unit")
    assert "再订 25 个就满" in page.replace("\n", "")
    assert "预留 15%" in page
    for path in ("share", "print"):
        text(leader, f"/unit/orders/{at.group.public_id}/{path}")
    close = f"/unit/orders/{at.group.public_id}/close"
    assert leader.send(close, idempotency_key="c1").status_code == 302
    assert leader.send(close, idempotency_key="c2").status_code == 302
    assert "已经关单" in text(leader, "/unit")
    assert "XJ-" in text(leader, "/unit/payment")
    assert "已关单" in text(leader, "/unit/orders")
    member = browser(app, at.members[0])
    assert "单位统一付款" in text(member, f"/needs/{at.group.public_id}")
    order = text(member, f"/orders/{placed.number}")
    assert "/cart/again/" not in order, "what only a round sells does not go into a cart"


def test_whoever_waits_to_be_let_in_reads_so_on_its_own_page_until_it_is_answered(
    app: Flask,
) -> None:
    at = fair()
    newcomer = builders.account()
    client = browser(app, newcomer)
    assert "联系人确认你" not in text(client, "/me")
    join_page = f"/join/{at.group.join_code}"
    client.send(join_page, staff_number="0999", department="财务科")
    waiting = text(client, "/me")
    assert f"等“{at.unit.name_zh}”的联系人确认你" in waiting
    assert f'href="{join_page}"' in waiting
    own = membership_in(at.unit.id, newcomer.id)
    assert own is not None
    decline(at.unit.id, own.id)
    assert "联系人确认你" not in text(client, "/me")
    assert "你现在不在这个单位里" in text(client, join_page)


def test_the_live_part_is_sent_only_when_something_changed(app: Flask) -> None:
    at = fair()
    leader = browser(app, at.coordinator)
    now = f"/unit/orders/{at.group.public_id}/now"
    first = leader.get(now)
    assert leader.get(now, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    changed = leader.get(now, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "¥45.00" in changed.text


def test_a_coordinator_opens_a_group_order_and_gets_a_link(app: Flask) -> None:
    at = fair()
    unit = builders.buying_unit()
    leader = browser(app, builders.account(Role.COORDINATOR, unit.organisation))
    assert "各付各的" in text(leader, "/unit")
    data = {"round": at.round.public_id, "pay_mode": "unit", "idempotency_key": "o1"}
    answer = leader.send("/unit/open", **data)
    assert answer.status_code == 302
    assert "/join/" in text(leader, answer.headers["Location"])
    again = leader.send("/unit/open", **{**data, "idempotency_key": "o2"})
    assert again.status_code == 409
    assert db.session.scalar(select(func.count(GroupOrder.id))) == 2


def test_another_units_group_order_does_not_exist_for_a_coordinator(app: Flask) -> None:
    at, other = fair(), fair()
    leader = browser(app, other.coordinator)
    text(leader, f"/unit/orders/{at.group.public_id}", 404)
    close = leader.send(f"/unit/orders/{at.group.public_id}/close", idempotency_key="x")
    assert close.status_code == 404
    db.session.expire_all()
    assert db.session.get_one(GroupOrder, at.group.id).state is GroupOrderState.OPEN


def test_before_the_next_round_a_unit_is_told_what_it_still_has_to_transfer(app: Flask) -> None:
    at = fair(PayMode.UNIT)
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    leader = browser(app, at.coordinator)
    add_offer(create_round(plan()).id, builders.lot(at.eggs.product, mode=LotMode.IN_FIELD).id, 150)
    assert "没有转账" not in text(leader, "/unit/open")
    close_group_order(at.group.id)
    page = text(leader, "/unit")
    assert "开单，拿链接" in page
    assert "还有 1 期没有转账，一共 ¥45.00。" in page
    with transaction() as session:
        session.scalars(select(Payment)).one().proof_at = clock.now()
    assert "没有转账" not in text(leader, "/unit")


def test_members_pay_for_themselves_after_closing(app: Flask) -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    with clock.frozen(at.closes_at):
        close_due_rounds(at.closes_at)
    page = text(browser(app, at.members[0]), f"/needs/{at.group.public_id}")
    assert "付款 ¥45.00" in page
    assert "/pay/" in page
    assert "共 1 人" in text(browser(app, at.coordinator), "/unit/payment")


def test_staff_plan_a_round_and_put_lots_into_it(app: Flask) -> None:
    staff = browser(app, builders.account(Role.STAFF))
    lot = builders.lot(builders.product(builders.seller()), 50)
    text(staff, "/staff/rounds/new")
    now = clock.local(clock.now()).replace(tzinfo=None, second=0, microsecond=0)
    day = (now + timedelta(days=2)).date()
    plan = {
        "title_zh": "12月上旬预订期",
        "opens_at": now.isoformat(timespec="minutes"),
        "closes_at": (now + timedelta(days=2)).isoformat(timespec="minutes"),
        "harvest_from": day.isoformat(),
        "harvest_to": day.isoformat(),
        "handover_on": day.isoformat(),
        "pay_within_h": "48",
    }
    wrong = staff.send("/staff/rounds/new", **{**plan, "closes_at": plan["opens_at"]})
    assert wrong.status_code == 422
    made = staff.send("/staff/rounds/new", **plan).headers["Location"]
    assert "12月上旬预订期" in text(staff, "/staff/rounds")
    assert staff.send(f"{made}/offers", lot=lot.public_id, price="x").status_code == 422
    added = staff.send(f"{made}/offers", lot=lot.public_id, price="59.00")
    assert added.status_code == 302
    page = text(staff, made)
    assert "¥" in page
    changed = staff.send(made, **{**plan, "title_zh": "改过的预订期"})
    assert changed.status_code == 302
    cutoff = (now + timedelta(days=1)).isoformat(timespec="minutes")
    leg = staff.send(f"{made}/legs/{lot.seller_id}", cutoff_at=cutoff)
    assert leg.status_code == 302
    db.session.expire_all()
    offer = db.session.scalars(select(Offer)).one()
    assert offer.closes_at is not None
    assert clock.local(offer.closes_at).replace(tzinfo=None).isoformat(timespec="minutes") == cutoff
    gone = staff.send(f"{made}/offers/{offer.public_id}/withdraw")
    assert gone.status_code == 302
    assert db.session.scalar(select(func.count(Round.id))) == 1


def test_reading_how_far_it_is_takes_the_same_statements_whatever_its_size(app: Flask) -> None:
    def statements(members: int) -> int:
        at = fair(members=members)
        for member in at.members:
            set_needs(at.group.id, member.id, {at.eggs.id: 10})
        db.session.expire_all()
        group = group_order_by_public_id(at.group.public_id)
        with counting() as sent:
            units.progress(group)
        return len(sent)

    assert statements(2) == statements(7)
