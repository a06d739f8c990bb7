"""A database that is full, away or busy, and a full disk: a bounded wait, words, and recovery.

Tests that need a small disk mount one, which only root may; without that they are skipped and
say so.
"""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from kernel.db import db
from kernel.files import StoredFile
from kernel.identity import Role
from kernel.postgres import Cluster
from kernel.reads import Write
from kernel.tokens import issue_token
from marketplace.app import create_app
from orders.model import Order
from tests import builders
from tests.at_once import PATIENCE_S
from tests.conftest import build_template, settings_for
from tests.laws import assert_laws_hold
from tests.processes import wait_for_end
from tests.visitors import Visitor

RECIPIENT = {"name": "某收货人", "phone": "13800000000", "city": "重庆市", "address": "某街 1 号"}


class Market:
    """An application with an offer, and a buyer who orders by a program."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            self.offer = builders.offer(builders.lot(builders.product(builders.seller()), 10_000))
            self.offer_id = self.offer.public_id
            builders.credit_source()
            self.token = issue_token(builders.account())
            db.session.remove()

    def visitor(self) -> Visitor:
        """A new browser."""
        return Visitor(self.app, self.app.response_class, use_cookies=True)

    def order(self, key: str) -> TestResponse:
        """Post an order with this key."""
        return self.visitor().post(
            "/api/v1/orders",
            json={
                "lines": [{"offer_id": self.offer_id, "quantity": 1}],
                "recipient": RECIPIENT,
                "payment": "stripe",
            },
            headers={"Authorization": f"Bearer {self.token}", "Idempotency-Key": key},
        )

    def get(self, path: str) -> TestResponse:
        """Open a page."""
        return self.visitor().get(path)

    def orders(self) -> int:
        """How many orders there are."""
        with self.app.app_context():
            number = db.session.scalar(select(func.count()).select_from(Order)) or 0
            db.session.remove()
        return number

    def check(self) -> None:
        """Hold every law."""
        with self.app.app_context():
            assert_laws_hold()


@pytest.fixture
def market(app: Flask) -> Market:
    """A market on this test's database."""
    return Market(app)


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """Mount a disk of so many MiB."""
    with ExitStack() as stack:

        def mounted(mib: int) -> Path:
            if os.geteuid() != 0:
                pytest.skip("a small disk can be mounted by root only: run this test as root")
            folder = Path(tempfile.mkdtemp(prefix="xiangji-small-"))
            stack.callback(folder.rmdir)
            options = f"size={mib}m,mode=711"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
            stack.callback(lambda: subprocess.run(["umount", "--lazy", folder], check=True))
            return folder

        yield mounted


def fill(folder: Path) -> Path:
    """Fill the disk of `folder` to its last byte; deleting what is returned makes room again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            pass
    return filler


def refused_meanwhile(market: Market, key: str) -> None:
    """Hold a program, a page and the probes to what they say while the database has no answer.

    They answer before what is wrong is put right again, which is after this.
    """
    pool = ThreadPoolExecutor(3)
    ordered = pool.submit(market.order, key)
    page = pool.submit(market.get, "/offers")
    ready = pool.submit(market.get, "/readyz")
    pool.shutdown(wait=False)
    assert wait([ordered, page, ready], PATIENCE_S).not_done == set()
    assert market.get("/healthz").status_code == 200

    assert ordered.result().status_code == 503
    assert ordered.result().mimetype == "application/problem+json"
    assert ordered.result().get_json()["code"] == "unavailable"
    assert ordered.result().headers["Retry-After"] == "5"
    assert page.result().status_code == 503
    assert page.result().headers["Retry-After"] == "5"
    assert "暂时忙不过来，什么都没有改。过一会儿再试。" in page.result().text
    assert ready.result().status_code == 503
    assert ready.result().get_json()["ready"] is False


def serves_again(market: Market, key: str) -> None:
    """The same key is answered now, and only one order is there."""
    assert market.get("/readyz").status_code == 200
    answer = market.order(key)
    assert answer.status_code == 201
    assert market.order(key).get_json() == answer.get_json()
    assert market.orders() == 1
    assert market.get("/offers").status_code == 200
    market.check()


def test_a_connection_is_waited_for_five_seconds(app: Flask) -> None:
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    assert (options["pool_timeout"], options["connect_args"]["connect_timeout"]) == (5, 5)


def test_with_every_connection_taken_a_request_is_told_when_to_come_again(
    market: Market,
) -> None:
    key = uuid.uuid4().hex
    with market.app.app_context(), ExitStack() as held:
        for _ in range(market.app.extensions["settings"].pool_size):
            held.enter_context(db.engine.connect())
        refused_meanwhile(market, key)
    assert market.orders() == 0
    serves_again(market, key)


def test_while_postgresql_is_gone_the_shop_says_so_and_goes_on_by_itself_when_it_is_back(
    market: Market, cluster: Cluster
) -> None:
    key = uuid.uuid4().hex
    assert market.get("/offers").status_code == 200
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        # The server of tests commits without waiting for its disk.
        connection.execute("CHECKPOINT")
    pid = cluster.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    try:
        refused_meanwhile(market, key)
    finally:
        cluster.start()
    serves_again(market, key)


def test_a_postgresql_that_accepts_and_says_nothing_is_waited_for_no_longer_than_one_that_is_gone(
    market: Market, cluster: Cluster
) -> None:
    key = uuid.uuid4().hex
    with market.app.app_context():
        db.engine.dispose()
    pid = cluster.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        refused_meanwhile(market, key)
    finally:
        os.kill(pid, signal.SIGCONT)
    serves_again(market, key)


def test_a_connection_lost_at_the_commit_asks_to_look_first_and_the_key_keeps_it_single(
    market: Market, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = uuid.uuid4().hex
    lost: list[int] = []
    send = Write.send

    def lose(self: Write, connection: Any, values: Any) -> Any:
        send(self, connection, values)  # committed, and before the answer is read …
        lost.append(connection.info.backend_pid)
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", lost)
        return connection.execute("SELECT 1")  # … the connection is gone

    with monkeypatch.context() as patched:
        patched.setattr(Write, "send", lose)
        answer = market.order(key)
    assert lost
    assert answer.status_code == 503
    assert "先看看刚才那一步做成了没有" in answer.get_json()["detail"]
    serves_again(market, key)


def _picture() -> io.BytesIO:
    """A photograph of noise, which no format makes small."""
    out = io.BytesIO()
    pixels = random.Random(7).randbytes(600 * 600 * 3)
    Image.frombytes("RGB", (600, 600), pixels).save(out, "PNG")
    out.seek(0)
    return out


def test_an_upload_to_a_full_disk_leaves_nothing_behind_and_works_once_there_is_room(
    market: Market, small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = small_disk(1)
    monkeypatch.setitem(market.app.config, "UPLOAD_DIR", str(uploads))
    headers = {"Authorization": f"Bearer {market.token}"}
    placed = market.visitor().post(
        "/api/v1/orders",
        json={
            "lines": [{"offer_id": market.offer_id, "quantity": 1}],
            "recipient": RECIPIENT,
            "payment": "transfer",
        },
        headers={**headers, "Idempotency-Key": uuid.uuid4().hex},
    )
    payment_id = placed.get_json()["pay_url"].split("/")[-2]

    def send() -> TestResponse:
        return market.visitor().post(
            f"/api/v1/payments/{payment_id}/proof",
            data={"file": (_picture(), "proof.png")},
            headers=headers,
        )

    def stored() -> int:
        with market.app.app_context():
            number = db.session.scalar(select(func.count()).select_from(StoredFile)) or 0
            db.session.remove()
        return number

    filler = fill(uploads)
    answer = send()
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "disk_full"
    assert answer.headers["Retry-After"] == "5"
    assert stored() == 0
    assert [path for path in uploads.rglob("*") if path.is_file()] == [filler]

    filler.unlink()
    assert send().status_code == 200
    assert stored() == 1


def test_an_export_without_room_for_its_draft_says_so_and_works_once_there_is_room(
    market: Market, small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts = small_disk(1)
    monkeypatch.setattr(tempfile, "tempdir", str(drafts))
    with market.app.app_context():
        token = issue_token(builders.account(Role.STAFF))
        db.session.remove()

    def export() -> TestResponse:
        return market.visitor().get(
            "/report/channels.xlsx", headers={"Authorization": f"Bearer {token}"}
        )

    filler = fill(drafts)
    answer = export()
    assert answer.status_code == 503
    assert "存放文件的地方满了" in answer.text
    assert answer.headers["Retry-After"] == "5"

    filler.unlink()
    assert export().status_code == 200


def test_a_postgresql_without_room_refuses_orders_whole_and_goes_on_once_there_is_room(
    small_disk: Callable[[int], Path], var_dir: Path
) -> None:
    disk = small_disk(160)
    with Cluster(disk, durable=False) as cluster:
        cluster.create_database("full")
        url = cluster.url("full")
        build_template(url, var_dir)
        market = Market(create_app(settings_for(url, var_dir)))
        assert market.order(uuid.uuid4().hex).status_code == 201
        filler = fill(disk)
        done = 1
        while (answer := market.order(key := uuid.uuid4().hex)).status_code == 201:
            done += 1
            assert done < 2000, "a full disk takes no orders"
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"

        filler.unlink()
        if cluster.pid() is None:
            # Without room for its log it stops itself; whoever looks after it starts it again.
            cluster.start()
        assert market.order(key).status_code == 201
        assert market.orders() == done + 1
        market.check()
        with market.app.app_context():
            db.engine.dispose()
