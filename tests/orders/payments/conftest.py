"""A payment sandbox, a webhook endpoint and the SDK, fresh for every test that asks."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from tests.payment_sandbox import SandboxServer, WebhookReceiver, session_params

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
