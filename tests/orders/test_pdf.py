"""A PDF where Pango is missing: the message names the packages, and all else works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from flask import Flask

from kernel.db import db
from kernel.identity import Organisation, Role
from orders.actions.handover import pack
from orders.actions.yields import Harvested, allocate, enter_yield
from tests import builders
from tests.orders.harvest_builders import closed_round

ROOT = Path(__file__).parents[2]
LOOK = """
import json, sys
from wsgi import app
from tests.visitors import Visitor
browser = Visitor(app, app.response_class)
assert browser.enter("clerk-of-pdf").status_code == 302
answers = [browser.get(path) for path in sys.argv[1:]]
print(json.dumps([[one.status_code, one.mimetype, one.get_data(as_text=True)] for one in answers]))
"""


def test_without_pango_the_pdf_names_the_packages_and_the_print_page_works(
    app: Flask, database: str, tmp_path: Path
) -> None:
    with app.app_context():
        closed = closed_round(5)
        enter_yield(closed.item.id, None, Harvested(5, confirmed=True), account_id=None)
        allocate(closed.item.id, "pro_rata", account_id=None)
        consignment = pack(closed.seller.id, closed.group_order.id).public_id
        seller = db.session.get_one(Organisation, closed.seller.id)
        builders.account(Role.CLERK, seller, login="clerk-of-pdf")
        db.session.commit()
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
    paths = [f"/consignments/{consignment}.pdf", f"/consignments/{consignment}"]
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, *paths],
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
    assert (refused[0], refused[1]) == (503, "text/html")
    assert "libpango-1.0-0" in refused[2]
    assert "现在可以用打印页" in refused[2]
    assert (printed[0], printed[1]) == (200, "text/html")
    assert "春橙" in printed[2]
