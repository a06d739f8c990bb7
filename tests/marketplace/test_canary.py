"""A person with unmistakable data walks every flow; then they are looked for everywhere."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook
from PIL import Image
from sqlalchemy import select, text

from kernel import logs
from kernel.access import allow
from kernel.db import db, transaction
from kernel.identity import Account, Role
from kernel.jobs import defer, jobs, task
from kernel.postgres import Cluster
from marketplace import worker
from orders.actions import handover, settlement, yields
from orders.actions.yields import Harvested
from orders.model import Order, Payment
from sellers.actions.households import HouseholdFacts, change_household, reveal_household
from sellers.imports.words import COLUMNS
from sellers.model import Household, HouseholdStatus, OfferImport
from tests import builders
from tests.marketplace.market_day import SIGNATURE
from tests.orders.harvest_builders import closed_round
from tests.orders.programs import Program
from tests.visitors import Visitor

PERSON = {
    "name": "金丝雀辛未",
    "phone": "13977120081",
    "identity": "500112197701017731",
    "bank": "6222773100998877123",
    "address": "乌有路七七三一号",
    "note": "悄悄话七七三一",
}
LEAF = re.compile(r'(?:href|hx-get)="(/[^"#]*)"')

ALLOWED_COLUMNS = {
    (
        "offer_import",
        "faults",
        "name",
    ): "a cell of the clerk's own sheet, shown back to be put right",
    ("offer_import", "faults", "identity"): "the same",
    ("stored_file", "original_name", "name"): "the name under which its owner saves it again",
    ("account", "name_zh", "name"): "how an account asked to be called",
}
"""Where a table may hold it in plain text, and why. Everywhere else it is encrypted or absent."""

ALLOWED_PAGES = {
    "clerk": (r"/seller/consignments", r"/consignments/", r"/seller/import/"),
    "buyer": (
        *(r"/orders/", r"/checkout", r"/me", r"/$", r"/cart", r"/offers", r"/orders$"),
        r"/seller/register$",  # the frame of a workspace names who is signed in
    ),
    "staff": (),
    "auditor": (),
    "admin": (),
    "coordinator": (),
    "steward": (),
}
"""On which pages somebody reads it unasked: who sends the goods, and whose own it is."""


class Walk:
    """What was written and shown while the person was about."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.log = io.StringIO()
        self.answers: dict[str, str] = {}

    def visitor(self, login: str = "") -> Visitor:
        one = Visitor(self.app, self.app.response_class)
        if login:
            one.enter(login)
        return one

    def keep(self, name: str, page: Any) -> None:
        """Remember an answer that may not hold the person."""
        self.answers[name] = page.get_data(as_text=True)


def seen(words: str) -> list[str]:
    """Which facts of the person stand in `words`, spelt out, escaped or percent-encoded."""
    return [
        fact
        for fact, value in PERSON.items()
        if value in words or json.dumps(value)[1:-1] in words or value.encode().hex() in words
    ]


@pytest.fixture
def walk(shop: Flask, tmp_path: Path) -> Iterator[Walk]:
    """The shop with its log in memory and an empty folder for uploads."""
    walked, root, before = Walk(shop), logging.getLogger(), shop.config["UPLOAD_DIR"]
    handler, level = logs.handler(walked.log), root.level
    shop.config["UPLOAD_DIR"] = str(tmp_path)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield walked
    root.removeHandler(handler)
    root.setLevel(level)
    shop.config["UPLOAD_DIR"] = before


def hidden(page: str) -> dict[str, Any]:
    found = re.findall(r'<input[^>]*type="hidden"[^>]*>', page)
    named = {re.search(r'name="([^"]*)"', one): re.search(r'value="([^"]*)"', one) for one in found}
    return {name[1]: value[1] for name, value in named.items() if name and value}


def buys(walk: Walk) -> str:
    """Register, buy on the page and through JSON, with slips; return the order's number."""
    offer = builders.offer()
    buyer = walk.visitor()
    buyer.send("/register", login="canary", password="long-enough-1", again="long-enough-1",
               name=PERSON["name"])  # fmt: skip
    walk.keep("a wrong sign-in", walk.visitor().send(
        "/sign-in", login="nobody", password=PERSON["note"]))  # fmt: skip
    buyer.send("/cart/lines", offer=offer.public_id, quantity=1)
    to = {"name": PERSON["name"], "phone": PERSON["phone"], "city": "重庆市",
          "address": PERSON["address"]}  # fmt: skip
    form = {**hidden(buyer.page("/checkout")), **to}
    assert (
        buyer.post("/checkout", data={**form, "phone": "1", "payment": "stripe"}).status_code == 422
    )
    pay = buyer.post("/checkout", data={**form, "payment": "stripe"}).location
    walk.keep("a payment service that does not answer", buyer.get(pay))
    account = db.session.scalars(select(Account).where(Account.login == "canary")).one()
    program = Program(walk.app, account)
    line = [{"offer_id": offer.public_id, "quantity": 1}]
    placed = program.ask("POST", "/orders", {"lines": line, "recipient": to,
                                             "payment": "transfer"}, 201)  # fmt: skip
    wrong = program.ask("POST", "/orders", {"lines": line, "payment": "stripe",
                        "recipient": {**to, "phone": PERSON["phone"] * 9}}, 422)  # fmt: skip
    walk.answers["a refusal of the API"] = json.dumps(wrong, ensure_ascii=False)
    walk.answers["an order's answer"] = json.dumps(placed, ensure_ascii=False)
    picture = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = PERSON["bank"] + PERSON["identity"]
    Image.new("RGB", (9, 9)).save(picture, "JPEG", exif=exif, comment=PERSON["note"].encode())
    payment = placed["pay_url"].split("/pay/")[1].split("/")[0]
    sent = {**hidden(buyer.page(f"/pay/{payment}/transfer")),
            "file": (io.BytesIO(picture.getvalue()), f"{PERSON['name']}.jpg")}  # fmt: skip
    assert buyer.post(f"/pay/{payment}/transfer", data=sent).status_code == 303
    return str(placed["number"])


def goes_wrong(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that do not exist, a fault, and a job that fails, all with the person's words."""
    stranger = walk.visitor()
    # The page itself links back to its own address; the log must not.
    assert stranger.get(f"/offers/{PERSON['phone']}?q={PERSON['name']}").status_code == 404
    walk.keep("404 of the API", stranger.get(f"/api/v1/orders/{PERSON['identity']}"))

    def fails() -> None:
        raise ValueError(PERSON["name"]) from LookupError(PERSON["bank"])

    monkeypatch.setitem(walk.app.view_functions, "storefront.offers", allow.everyone(fails))
    fault = stranger.get("/offers", query_string={"q": PERSON["note"]},
                         headers={"User-Agent": PERSON["identity"]})  # fmt: skip
    assert fault.status_code == 500
    walk.keep("500", fault)
    monkeypatch.undo()
    with pytest.raises(Exception, match="login"), transaction() as session:  # noqa: PT012
        for _ in range(2):
            session.add(Account(login=PERSON["note"], password_hash="", name_zh=PERSON["name"]))
        session.flush()
    db.session.rollback()
    with transaction():
        defer(FAILS, household=7)
    run_jobs(walk.app)


@task(name="tests.canary_fails")
def FAILS(household: int) -> None:  # noqa: N802
    """A job that fails over somebody's data."""
    raise ValueError(PERSON["name"] + PERSON["bank"])


def run_jobs(app: Flask) -> None:
    """Do everything that waits, as the worker does."""

    def work() -> None:
        with jobs.replace_connector(worker.connector(app)) as working:
            working.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)

    db.session.remove()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=60)


def sells(walk: Walk, number: str) -> dict[str, str]:
    """A household of that name harvests, is settled and paid; return who signs in as what."""
    made = closed_round(5, 3)
    household = made.households[0]
    clerk = walk.visitor(made.clerk.login)
    facts = {**hidden(clerk.page("/seller/households/new")), "number": "777",
             "status": "registered", "status_evidence": "认定名单", "name": PERSON["name"],
             "phone": PERSON["phone"], "bank_account": PERSON["bank"]}  # fmt: skip
    assert (
        clerk.post(
            "/seller/households/new", data={**facts, "phone": PERSON["phone"] * 3}
        ).status_code
        == 422
    )
    assert clerk.post("/seller/households/new", data=facts).status_code == 302
    kept = db.session.scalars(select(Household).where(Household.number == "777")).one()
    reveal_household(kept.id, made.clerk.id, "打电话通知采收")
    revealed = clerk.send(f"/seller/households/{kept.public_id}", reason="核对收款账号")
    assert PERSON["bank"] in revealed.text  # the control: asked with a reason, it is shown
    change_household(household.id, the_same_person(household))
    book, out = Workbook(), io.BytesIO()
    book.worksheets[0].append([column.heading for column in COLUMNS])
    cells = {"category": PERSON["identity"], "offered": PERSON["name"]}
    book.worksheets[0].append([cells.get(column.key, column.example) for column in COLUMNS])
    book.save(out)
    form = {**hidden(clerk.page("/seller/import")), "file": (io.BytesIO(out.getvalue()), "a.xlsx")}
    assert clerk.post("/seller/import", data=form).status_code == 302
    yields.enter_yield(made.item.id, None, Harvested(7), account_id=None)
    yields.allocate(made.item.id, "pro_rata", account_id=None)
    packed = handover.pack(made.seller.id, made.group_order.id)
    handover.send(packed.id, "自己送")
    handover.sign(packed.id, SIGNATURE, account_id=None)
    stated = settlement.state_settlement(made.seller.id, made.round.id)
    builders.pay_out(stated.id, "BANK-1")
    logins = {"clerk": made.clerk.login, "coordinator": made.coordinator.login,
              "steward": made.steward.login}  # fmt: skip
    for role in (Role.STAFF, Role.AUDITOR, Role.ADMIN):
        logins[role.value] = builders.account(role).login
    run_jobs(walk.app)
    return logins


def the_same_person(household: Household) -> HouseholdFacts:
    """What is known of the household that harvests."""
    return HouseholdFacts(
        number=household.number,
        status=HouseholdStatus.REGISTERED,
        status_evidence="认定名单",
        name=PERSON["name"],
        phone=PERSON["phone"],
        bank_account=PERSON["bank"],
    )


def crawl(who: Visitor, most: int = 40) -> Iterator[tuple[str, str]]:
    """Yield every page of this site that links lead to, with what it says."""
    waiting, known = ["/", "/orders", "/me"], set[str]()
    while waiting and len(known) < most:
        path = waiting.pop(0).replace("&amp;", "&")
        shape = re.sub(r"\?.*", "", path)
        if shape in known or shape.startswith(
            ("/static", "/photos", "/files", "/sign-out", "/parts")
        ):
            continue
        known.add(shape)
        answer = who.get(path, follow_redirects=True)
        if answer.mimetype == "text/html":
            words = answer.get_data(as_text=True)
            waiting += LEAF.findall(words)
            yield path, words
        elif (answer.mimetype or "").endswith("sheet"):
            sheets = load_workbook(io.BytesIO(answer.data)).worksheets
            yield path, str([[cell.value for cell in row] for one in sheets for row in one.rows])


def tables() -> Iterator[tuple[str, str, str]]:
    """Yield every column of every row of every table, as text."""
    names = db.session.scalars(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ).all()
    for name in names:
        for row in db.session.scalars(text(f'SELECT to_jsonb(t) FROM "{name}" t')):
            for column, value in row.items():
                yield name, column, json.dumps(value, ensure_ascii=False)


def found_in_tables() -> set[tuple[str, str, str]]:
    return {(table, column, fact) for table, column, value in tables() for fact in seen(value)}


def found_in_files(*folders: Path) -> list[tuple[Path, str]]:
    """Look through what lies in files, names included."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [
        (path, fact)
        for path in paths
        for fact, value in PERSON.items()
        if value.encode() in path.read_bytes() or value in str(path)
    ]


def test_a_person_leaves_no_trace_but_where_it_belongs(
    walk: Walk,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    number = buys(walk)
    logins = sells(walk, number)
    goes_wrong(walk, monkeypatch)

    order = db.session.scalars(select(Order).where(Order.number == number)).one()
    assert seen(order.recipient or "") == ["name", "phone", "address"]  # it was really kept
    proofs = select(Payment.proof_id).where(Payment.proof_id.is_not(None))
    assert len(db.session.scalars(proofs).all()) == 1
    assert db.session.scalars(select(OfferImport.faults)).one()
    assert found_in_tables() == set(ALLOWED_COLUMNS)

    written = walk.log.getvalue()
    for event in ('"request"', '"fault"', "tests.canary_fails", "ValueError"):
        assert event in written  # the log was listened to
    assert seen(written) == []
    printed = capfd.readouterr()
    assert seen(printed.out + printed.err) == []
    server_log = cluster._home / "log"
    assert server_log.stat().st_size > 0
    assert seen(server_log.read_text(errors="replace")) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found_in_files(tmp_path) == []
    assert {name: seen(words) for name, words in walk.answers.items() if seen(words)} == {}

    buyer = Visitor(walk.app, walk.app.response_class)
    buyer.send("/sign-in", login="canary", password="long-enough-1")
    pages = 0
    for role, who in {
        "buyer": buyer,
        **{r: walk.visitor(one) for r, one in logins.items()},
    }.items():
        for path, words in crawl(who):
            pages += 1
            where_it_may = any(re.match(one, path) for one in ALLOWED_PAGES[role])
            assert seen(words) == [] or where_it_may, (role, path, seen(words))
    assert pages > 50


def test_the_search_would_find_the_person(walk: Walk, tmp_path: Path) -> None:
    logging.getLogger("kernel").info(PERSON["name"])
    assert seen(walk.log.getvalue()) == []  # the formatter drops even what we say carelessly
    plain = logging.StreamHandler(walk.log)
    logging.getLogger().addHandler(plain)
    logging.getLogger("kernel").info("about %s", PERSON["phone"])
    logging.getLogger().removeHandler(plain)
    assert seen(walk.log.getvalue()) == ["phone"]
    seller = builders.seller(story_zh=f"我叫{PERSON['name']}", village=PERSON["note"])
    assert found_in_tables() == {("seller", "story_zh", "name"), ("seller", "village", "note")}
    assert seller.id
    (tmp_path / "a.txt").write_text(PERSON["address"])
    assert [fact for _, fact in found_in_files(tmp_path)] == ["address"]
