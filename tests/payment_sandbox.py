"""A payment sandbox for one test, and a webhook endpoint that remembers what it was sent."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import requests
import stripe

from orders.payments.sandbox.config import DEFAULT_API_KEY, Config
from orders.payments.sandbox.service import Service
from tests.at_once import PATIENCE_S

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

SECRET = "whsec_test"
WAIT_S = 10.0


def session_params(amount_fen: int = 12_800, **changes: Any) -> Any:
    """Give the parameters of a session that sells one thing; None takes a parameter away."""
    values: dict[str, Any] = {
        "mode": "payment",
        "line_items": [
            {
                "price_data": {
                    "currency": "cny",
                    "unit_amount": amount_fen,
                    "product_data": {"name": "渝北柑橘 5 公斤装"},
                },
                "quantity": 1,
            }
        ],
        "payment_method_types": ["card", "alipay", "wechat_pay"],
        "payment_method_options": {"wechat_pay": {"client": "web"}},
        "success_url": "http://127.0.0.1:9/paid?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/cart",
        "client_reference_id": "P-1001",
        "metadata": {"payment": "P-1001"},
        "payment_intent_data": {"metadata": {"payment": "P-1001"}},
    }
    values.update(changes)
    return {key: value for key, value in values.items() if value is not None}


class SandboxServer:
    """A sandbox on a real port, in threads of this process, with the control calls as methods.

    Refunds that take time wait for `settle_refund(s)`, unless `refund_delay_s` is given. It is a
    context manager; `restart` keeps its port and its state.
    """

    def __init__(
        self,
        webhook_url: str = "",
        webhook_secret: str = SECRET,
        *,
        refund_delay_s: float | None = None,
        webhook_tries: int = 12,
        port: int = 0,
    ) -> None:
        self.state_dir = Path(tempfile.mkdtemp(prefix="payment-sandbox-"))
        self.port = port
        self.key = DEFAULT_API_KEY
        self.webhook_secret = webhook_secret
        self.config = Config(
            self.state_dir,
            webhook_url,
            webhook_secret,
            self.key,
            refund_delay_s=refund_delay_s,
            webhook_backoff_s=0.02,
            webhook_tries=webhook_tries,
            sweep_every_s=0.05,
        )
        self._service: Service | None = None

    def start(self) -> Self:
        """Begin to serve."""
        self._service = Service(self.config, port=self.port)
        self.port = int(self._service.server.server_address[1])
        self._service.start()
        return self

    def stop(self) -> None:
        """Stop serving and forget the state."""
        self._halt()
        shutil.rmtree(self.state_dir)

    def restart(self) -> None:
        """Stop and start again with the same port and state."""
        self._halt()
        self.start()

    def _halt(self) -> None:
        if self._service is not None:
            self._service.stop()
            self._service = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address to give to the SDK as `base_addresses={"api": ...}`."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, *, retries: int = 0) -> stripe.StripeClient:
        """Give the real SDK, pointed at this sandbox."""
        return stripe.StripeClient(
            self.key, base_addresses={"api": self.url}, max_network_retries=retries
        )

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make a control call under /sandbox and give its answer. Raises HTTPError if refused."""
        answer = requests.request(
            method,
            f"{self.url}/sandbox{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=WAIT_S * 2,
        )
        answer.raise_for_status()
        return answer.json()

    def pay(self, session_id: str, method: str = "card", outcome: str = "success") -> Any:
        """Pay a session without a browser; give its session and payment_intent.

        A card's outcome may also be declined, insufficient_funds, refund_pending, refund_fails;
        a wallet's (alipay, wechat_pay) declined.
        """
        wanted = {"method": method, "outcome": outcome}
        return self.control("POST", f"/sessions/{session_id}/pay", wanted)

    def settle_refunds(self) -> Any:
        """End every refund that has not ended yet, as it was planned; give them."""
        return self.control("POST", "/refunds/settle")["refunds"]

    def settle_refund(self, refund_id: str, status: str) -> Any:
        """End one refund: succeeded or failed."""
        return self.control("POST", f"/refunds/{refund_id}/settle", {"status": status})

    def dispute(self, intent_id: str, **asked: Any) -> Any:
        """Let a bank charge a payment back: `amount` of it, or with `inquiry` only ask."""
        return self.control("POST", f"/payment_intents/{intent_id}/dispute", asked)

    def close_dispute(self, dispute_id: str, status: str) -> Any:
        """Let the bank decide: won, lost or warning_closed."""
        return self.control("POST", f"/disputes/{dispute_id}/close", {"status": status})

    def hold_webhooks(self) -> None:
        """Keep events back from now on."""
        self.control("POST", "/webhooks/hold")

    def release_webhooks(self, *event_ids: str) -> None:
        """Deliver the named events in that order and go on holding; or all, and stop holding."""
        body = {"events": list(event_ids)} if event_ids else None
        self.control("POST", "/webhooks/release", body)

    def webhooks(self) -> Any:
        """Give how deliveries stand: event, type, state, tries, outcome; the oldest first."""
        return self.control("GET", "/webhooks")["deliveries"]

    def wait_for_webhooks(self) -> None:
        """Wait until every event that is not held has been delivered or given up."""
        answer = self.control("GET", f"/webhooks?wait_s={WAIT_S}")
        assert answer["idle"], answer["deliveries"]

    def resend(self, event_id: str) -> None:
        """Deliver an event again."""
        self.control("POST", f"/events/{event_id}/resend")

    def event_ids(self, kind: str) -> list[str]:
        """Give the ids of all events of a type, the oldest first."""
        page = self.client().v1.events.list({"type": kind, "limit": 100})
        return [event.id for event in reversed(page.data)]

    def fail_next(self, **fault: Any) -> None:
        """Let the next API call go wrong: times, method, path, delay_s, status, body, executed."""
        self.control("POST", "/faults", fault)

    def hanging(self, method: str, path: str) -> Hang:
        """Let calls of an address hang until the block of what this gives ends."""
        assert self._service is not None
        return Hang(self._service.server, method, path)

    def clear_faults(self) -> None:
        """Let no further call go wrong."""
        self.control("DELETE", "/faults")

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's clock on; what falls due happens before this returns."""
        self.control("POST", "/clock", {"advance_s": seconds})

    def change(self, **settings: Any) -> None:
        """Change webhook_url or refund_delay_s."""
        self.control("POST", "/settings", settings)


class Hang:
    """Calls of one address, held from the moment they arrive until the block ends.

    `came` counts them. When the block has ended, they have all been carried out.
    """

    def __init__(self, server: BaseWSGIServer, method: str, path: str) -> None:
        self.came = 0
        self._server, self._app = server, server.app
        self._asked = (method, path)
        self._ended = 0
        self._over = False
        self._changed = threading.Condition()

    def wait_for(self, calls: int) -> None:
        """Return once so many have come."""
        self._wait(lambda: self.came >= calls)

    def _wait(self, reached: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE_S), f"{self.came} came"

    def _held(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != self._asked:
            return self._app(environ, start)
        with self._changed:
            self.came += 1
            self._changed.notify_all()
        try:
            self._wait(lambda: self._over)
            return self._app(environ, start)
        finally:
            with self._changed:
                self._ended += 1
                self._changed.notify_all()

    def __enter__(self) -> Self:
        self._server.app = self._held
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.app = self._app
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._wait(lambda: self._ended == self.came)


class WebhookReceiver:
    """An endpoint that checks every signature and remembers the events in their order.

    `answers` holds the statuses to give next, 200 when it is empty.
    """

    def __init__(self, secret: str = SECRET) -> None:
        self.events: list[stripe.Event] = []
        self.answers: list[int] = []
        self.tries = 0
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                event = stripe.Webhook.construct_event(
                    payload, self.headers["Stripe-Signature"], secret
                )
                self.send_response(receiver._take(event))
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def _take(self, event: stripe.Event) -> int:
        with self._changed:
            status = self.answers.pop(0) if self.answers else 200
            self.tries += 1
            if status == 200:
                self.events.append(event)
            self._changed.notify_all()
            return status

    @property
    def url(self) -> str:
        """The address that events are to be sent to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/webhooks/stripe"

    @property
    def types(self) -> list[str]:
        """The types of the events that have arrived, in their order."""
        with self._changed:
            return [event.type for event in self.events]

    def wait_for(self, kind: str) -> stripe.Event:
        """Give the first event of a type, waiting for it."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: kind in self.types, WAIT_S)
            assert arrived, f"{kind} did not come, only {self.types}"
            return next(event for event in self.events if event.type == kind)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
