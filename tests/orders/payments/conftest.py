"""A payment sandbox, a webhook endpoint and the SDK, fresh for every test that asks."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from flask import Flask
from flask.testing import FlaskClient

from tests.payment_sandbox import SECRET, SandboxServer, WebhookReceiver, session_params

Sell = Callable[..., stripe.checkout.Session]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Where the sandbox sends its events."""
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def sandbox(receiver: WebhookReceiver) -> Iterator[SandboxServer]:
    """A sandbox that knows the receiver."""
    with SandboxServer(receiver.url) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxServer) -> stripe.StripeClient:
    """The real SDK, pointed at the sandbox."""
    return sandbox.client()


@pytest.fixture
def sell(client: stripe.StripeClient) -> Sell:
    """Open a session; its arguments are those of `session_params`."""

    def opened(amount_fen: int = 12_800, **changes: Any) -> stripe.checkout.Session:
        return client.v1.checkout.sessions.create(session_params(amount_fen, **changes))

    return opened


@pytest.fixture
def caller(app: Flask) -> FlaskClient:
    """Whoever calls the webhook."""
    return app.test_client()


@pytest.fixture
def silent() -> Iterator[SandboxServer]:
    """A sandbox whose events nobody receives; tests deliver them themselves."""
    with SandboxServer(webhook_url="http://127.0.0.1:9/webhooks/stripe", webhook_tries=1) as server:
        server.hold_webhooks()
        yield server


@pytest.fixture
def shop(app: Flask, silent: SandboxServer) -> Iterator[SandboxServer]:
    """The application, whose payments go to the sandbox."""
    before = app.extensions["settings"]
    app.extensions["settings"] = dataclasses.replace(
        before, stripe_api_base=silent.url, stripe_webhook_secret=SECRET
    )
    with app.app_context():
        yield silent
    app.extensions["settings"] = before
