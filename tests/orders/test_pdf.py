"""The PDF of a packing list: asked for, made by the worker, fetched by whoever may see the list."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from kernel.db import db, transaction
from kernel.documents import Document
from kernel.identity import Membership, MembershipState, Organisation, Role
from kernel.pdf import pdf_of
from orders import jobs, packing
from orders.actions.handover import pack, send, sign
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import Consignment
from orders.queries import handover as queries
from tests import builders
from tests.orders.harvest_builders import closed_round
from tests.statements import counting
from tests.visitors import Visitor

ROOT = Path(__file__).parents[2]
CLERK = "clerk-of-pdf"


@pytest.fixture
def packed(app: Flask) -> Iterator[Consignment]:
    """What one seller packed for a unit; its clerk signs in as CLERK."""
    with app.app_context():
        closed = closed_round(5, 3)
        enter_yield(closed.item.id, None, Harvested(8, confirmed=True), account_id=None)
        allocate(closed.item.id, "pro_rata", account_id=None)
        made = pack(closed.seller.id, closed.group_order.id)
        seller = db.session.get_one(Organisation, closed.seller.id)
        builders.account(Role.CLERK, seller, login=CLERK)
        yield made


def entered(app: Flask, login: str = CLERK) -> Visitor:
    visitor = Visitor(app, app.response_class)
    assert visitor.enter(login).status_code == 302
    return visitor


def make() -> Document:
    """Do what the worker would, and return the document."""
    document = db.session.query(Document).one()
    jobs.make_packing_list(document_id=document.id)
    db.session.expire_all()
    return document


def test_a_packing_list_is_asked_for_made_and_fetched(app: Flask, packed: Consignment) -> None:
    clerk, path = entered(app), f"/consignments/{packed.public_id}"
    assert "还没有这张单的 PDF" in clerk.page(f"{path}/pdf")
    assert clerk.get(f"{path}.pdf").headers["Location"] == f"{path}/pdf"
    asked = clerk.send(f"{path}/pdf")
    assert (asked.status_code, asked.headers["Location"]) == (303, f"{path}/pdf")
    assert f'data-live="{path}/pdf/progress"' in clerk.page(f"{path}/pdf")
    assert "X-Live" not in clerk.get(f"{path}/pdf/progress").headers
    make()
    shown = clerk.get(f"{path}/pdf/progress")
    assert shown.headers["X-Live"] == "done"
    assert f'href="{path}.pdf"' in shown.text
    again = {"If-None-Match": shown.headers["ETag"]}
    assert clerk.get(f"{path}/pdf/progress", headers=again).status_code == 304
    assert "data-live" not in clerk.page(f"{path}/pdf")
    fetched = clerk.get(f"{path}.pdf")
    assert (fetched.mimetype, fetched.data[:5]) == ("application/pdf", b"%PDF-")
    assert packing.file_name(queries.packed(packed.public_id)).startswith("装箱单-")
    assert "filename*=UTF-8''%E8%A3%85" in fetched.headers["Content-Disposition"]


def test_the_same_list_is_one_file_and_a_changed_one_another(
    app: Flask, packed: Consignment
) -> None:
    clerk, path = entered(app), f"/consignments/{packed.public_id}"
    clerk.send(f"{path}/pdf")
    first = make().made_at
    kept = clerk.get(f"{path}.pdf").data
    clerk.send(f"{path}/pdf")
    assert make().made_at == first
    assert clerk.get(f"{path}.pdf").data == kept
    send(packed.id, "自己送")
    assert "装箱单后来有变化" in clerk.page(f"{path}/pdf")
    assert clerk.get(f"{path}.pdf").status_code == 302
    clerk.send(f"{path}/pdf")
    assert make().made_at != first
    assert clerk.get(f"{path}.pdf").data[:5] == b"%PDF-"


def test_whatever_the_list_shows_makes_another_version(packed: Consignment) -> None:
    view = queries.packed(packed.public_id)
    versions = {queries.version(view)}
    with transaction() as session:
        session.execute(update(Membership).values(department="另一科"))
    versions.add(queries.version(view))
    for name, value in (("waybill", "SF1"), ("carrier", "某快递"), ("signature", "M1 1L2 2")):
        with transaction():
            setattr(view.consignment, name, value)
        versions.add(queries.version(view))
    with transaction():
        view.seller.organisation.name_zh = "改名的合作社"
    versions.add(queries.version(view))
    assert len(versions) == 6


def test_a_pdf_is_fetched_only_by_who_may_see_the_list_now(app: Flask, packed: Consignment) -> None:
    clerk, path = entered(app), f"/consignments/{packed.public_id}"
    clerk.send(f"{path}/pdf")
    make()
    assert clerk.get(f"{path}.pdf").status_code == 200
    other = builders.account(Role.CLERK, builders.seller().organisation)
    for address in (f"{path}.pdf", f"{path}/pdf", f"{path}/pdf/progress"):
        assert entered(app, other.login).get(address).status_code == 404
    with transaction() as session:
        ended = update(Membership).where(Membership.organisation_id == packed.seller_id)
        session.execute(ended.values(state=MembershipState.ENDED))
    assert clerk.get(f"{path}.pdf").status_code == 404


def test_asking_reads_no_line_of_the_list(app: Flask, packed: Consignment) -> None:
    clerk, path = entered(app), f"/consignments/{packed.public_id}"
    clerk.page("/orders")
    db.session.rollback()
    with counting() as sent:
        clerk.send(f"{path}/pdf")
        clerk.get(f"{path}/pdf/progress")
    assert [one for one in sent if "FROM consignment_line" in one and "hashtext" not in one] == []


def test_a_list_beyond_the_bound_says_so(
    app: Flask, packed: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk, path = entered(app), f"/consignments/{packed.public_id}"
    monkeypatch.setattr(packing, "MOST_LINES", 1)
    clerk.send(f"{path}/pdf")
    make()
    assert "这张单太长，请用打印页打印。" in clerk.page(f"{path}/pdf")


WITHOUT_PANGO = """
import json, sys
from wsgi import app
from kernel.db import db
from kernel.documents import Document
from orders import jobs
from tests.visitors import Visitor
browser, path = Visitor(app, app.response_class), sys.argv[1]
assert browser.enter("clerk-of-pdf").status_code == 302
assert browser.send(path + "/pdf").status_code == 303
with app.app_context():
    key = db.session.query(Document.id).scalar()
jobs.make_packing_list(document_id=key)
answers = [browser.get(one) for one in (path + "/pdf", path)]
print(json.dumps([[one.status_code, one.get_data(as_text=True)] for one in answers]))
"""


def test_without_pango_the_page_names_the_packages_and_the_print_page_works(
    app: Flask, packed: Consignment, database: str, tmp_path: Path
) -> None:
    settings = app.extensions["settings"]
    # The loader meets this first and goes no further: the library is there and cannot be used.
    (tmp_path / "libpango-1.0.so.0").touch()
    environ = {
        **os.environ,
        "LD_LIBRARY_PATH": str(tmp_path),
        "DATABASE_URL": database,
        "ENVIRONMENT": "testing",
        "VAR_DIR": str(settings.var_dir),
        "SECRET_KEY": settings.secret_key,
        "DATA_KEY": settings.data_key,
    }
    looked = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANGO, f"/consignments/{packed.public_id}"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    # WeasyPrint prints its own advice before it gives up.
    refused, printed = json.loads(looked.stdout.splitlines()[-1])
    assert refused[0] == 200
    assert "libpango-1.0-0" in refused[1]
    assert "现在可以用打印页" in refused[1]
    assert printed[0] == 200
    assert "春橙" in printed[1]


def drawn(made: bytes) -> str:
    """How a PDF draws its pages: its operators, in words."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", made, re.DOTALL)
    packed = (one for one in streams if one[:1] == b"\x78")
    return b"\n".join(zlib.decompress(one) for one in packed).decode("latin-1")


def test_a_signature_is_a_line_and_no_blot(app: Flask, packed: Consignment) -> None:
    send(packed.id, "自己送")
    sign(packed.id, "M10 10L20 80L30 10L40 80L50 10", account_id=builders.account().id)
    page = drawn(pdf_of(packing.draw(packed.public_id).page, packing.CSS, lambda _: None))
    line = page[page.index("20 80 l") :]
    assert line.split("50 10 l", 1)[1].split()[0] == "S"
