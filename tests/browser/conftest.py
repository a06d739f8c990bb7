"""A live shop with its payment sandbox, and Chromium in front of it.

A journey takes `live` (the shop on a fresh database), `phone` or `desktop` (a page at it), or
`visit` to open several pages with their own cookies. Things are built with tests.builders
inside `live`'s application context, which is pushed for the test.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from kernel import clock, jobs
from kernel.db import db
from kernel.postgres import Cluster
from marketplace.app import create_app
from tests.browser import browsing
from tests.browser.browsing import DESKTOP, PHONE, Watch
from tests.conftest import DATABASE, settings_for
from tests.payment_sandbox import SandboxServer


@dataclass
class Live:
    """The running shop: its address, its application and its payment sandbox."""

    url: str
    app: Flask
    sandbox: SandboxServer
    database_url: str

    def run_jobs(self) -> None:
        """Do every job that waits now and every one that the clock asks for, once."""
        # Playwright's own event loop runs in this thread, so the worker gets another.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, self._drain()).result(timeout=60)

    async def _drain(self) -> None:
        with jobs.jobs.replace_connector(jobs.queue(self.database_url)) as worker:
            async with worker.open_async():
                now_s = int(clock.now().timestamp())
                for periodic in worker.periodic_registry.periodic_tasks.values():
                    await periodic.task.defer_async(timestamp=now_s)
                await worker.run_worker_async(
                    wait=False, install_signal_handlers=False, listen_notify=False
                )

    def settle(self) -> None:
        """Wait until the sandbox has told all its news and every job that follows is done."""
        self.sandbox.wait_for_webhooks()
        self.run_jobs()
        self.sandbox.settle_refunds()
        self.sandbox.wait_for_webhooks()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - as the base has it
        """Say nothing."""


@pytest.fixture(scope="session")
def _server(cluster: Cluster, template: str, var_dir: Path) -> Iterator[Live]:
    settings = settings_for(cluster.url(DATABASE), var_dir)
    with SandboxServer(webhook_secret=settings.stripe_webhook_secret) as sandbox:
        server: BaseWSGIServer | None = None
        settings = dataclasses.replace(settings, stripe_api_base=sandbox.url)
        # The port is known only once it is bound, and the application must know its address.
        holder: dict[str, Flask] = {}
        server = make_server(
            "127.0.0.1",
            0,
            lambda environ, start: holder["app"](environ, start),
            threaded=True,
            request_handler=_Quiet,
        )
        url = f"http://127.0.0.1:{server.server_port}"
        holder["app"] = create_app(dataclasses.replace(settings, public_url=url))
        sandbox.change(webhook_url=f"{url}/webhooks/stripe")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Live(url, holder["app"], sandbox, cluster.url(DATABASE))
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def live(_server: Live, database: str) -> Iterator[Live]:
    """The shop on a fresh database, inside its application context."""
    jobs.bind(_server.app)
    with _server.app.app_context():
        yield _server
        _server.sandbox.wait_for_webhooks()
        db.session.remove()


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(_playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    browser = _playwright.chromium.launch(
        executable_path=browsing.CHROMIUM, headless=True, args=browsing.FLAGS
    )
    yield browser
    browser.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Collect what goes wrong on any page of the test, and fail on it at the end."""
    watched = Watch()
    yield watched
    assert not watched.faults, watched.faults


@pytest.fixture
def visit(live: Live, chromium: Browser, watch: Watch) -> Iterator[Callable[[str], Page]]:
    """Open a page for another person: visit("phone") or visit("desktop")."""
    opened: list[Page] = []

    def visit(shape: str = "phone") -> Page:
        page = browsing.open_page(chromium, live.url, PHONE if shape == "phone" else DESKTOP, watch)
        opened.append(page)
        return page

    yield visit
    for page in opened:
        page.context.close()


@pytest.fixture
def phone(visit: Callable[[str], Page]) -> Page:
    """A page at 390×844 that is touched."""
    return visit("phone")


@pytest.fixture
def desktop(visit: Callable[[str], Page]) -> Page:
    """A page at 1280×900."""
    return visit("desktop")


@pytest.fixture
def sign_in() -> Callable[..., None]:
    """sign_in(page, login, password): sign in through the page."""
    return browsing.sign_in


@pytest.fixture
def check_axe() -> Callable[[Page], None]:
    """check_axe(page): nothing serious or critical."""
    return browsing.check_axe


@pytest.fixture
def shot() -> Callable[..., Path]:
    """shot(page, name, full=False): keep a picture under var/shots."""
    return browsing.shot
