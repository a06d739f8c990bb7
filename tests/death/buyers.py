"""Buyers who order, pay and give back through HTTP, and ask again until they are answered."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.payment_sandbox import SandboxServer

ANSWER_TIMEOUT_S = 20.0
PATIENCE_S = 90.0
LONGEST_PAUSE_S = 0.5
RECIPIENT = {"name": "某收货人", "phone": "13800000000", "city": "重庆市", "address": "某街 1 号"}
OUTCOMES = ("success", "success", "success", "refund_pending", "refund_fails", "declined")


class Unanswered(Exception):
    """Nobody answered a buyer for PATIENCE_S."""


@dataclass
class Intent:
    """One thing that a buyer wants once, and what the buyer was told of it.

    `cookies` came with the answer: a guest shows them at the payment's page.
    """

    account_id: int | None
    lines: dict[str, int]
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    answer: dict[str, Any] | None = None
    refused: str | None = None
    tries: int = 0
    sessions: list[str] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)


@dataclass
class Witness:
    """What all buyers saw: the auditor holds it against the books."""

    intents: list[Intent] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answered_otherwise: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    repeats: int = 0


class Buyer(threading.Thread):
    """Somebody who buys until told to stop; what was begun is ended.

    With a `token` an account; without, a new guest for each order, who cannot give back.
    `fresh_keys` is a buyer who does it wrong: another key for each try. One that never
    `comes_back` leaves it to others to tell the shop of a payment.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        account_id: int | None,
        offers: list[str],
        sandbox: SandboxServer,
        witness: Witness,
        *,
        seed: int,
        fresh_keys: bool = False,
        comes_back: bool = True,
        pause_s: float = 0.4,
    ) -> None:
        super().__init__(name=f"buyer-{seed}")
        self._url, self._account_id, self._offers = url, account_id, offers
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._sandbox, self._witness = sandbox, witness
        self._fresh_keys, self._comes_back, self._pause_s = fresh_keys, comes_back, pause_s
        self._chance = random.Random(seed)
        self._enough = threading.Event()
        self._pausing = threading.Event()

    def stop(self) -> None:
        """End after what is being done now."""
        self._enough.set()

    def run(self) -> None:
        while not self._enough.wait(self._chance.uniform(0, 2 * self._pause_s)):
            try:
                self._buy()
            except Unanswered as patience:
                self._witness.unanswered.append(str(patience))

    def _buy(self) -> None:
        wanted = self._chance.sample(self._offers, self._chance.choice((1, 1, 2)))
        intent = Intent(self._account_id, {one: self._chance.choice((1, 1, 2)) for one in wanted})
        self._witness.intents.append(intent)
        self.order(intent)
        if intent.answer is None:
            return
        if self._chance.random() < 0.3:
            self._order_again(intent)
        if self._chance.random() < 0.85:
            self.pay(intent)
        if self._account_id is not None and self._chance.random() < 0.45:
            self.give_back(intent)
            if self._chance.random() < 0.3:
                self._pay_late(intent)

    def order(self, intent: Intent) -> None:
        """Post the order until it is answered, with the same key each time."""

        def send() -> requests.Response:
            intent.tries += 1
            key = uuid.uuid4().hex if self._fresh_keys else intent.key
            return requests.post(
                f"{self._url}/api/v1/orders",
                json={
                    "lines": [{"offer_id": o, "quantity": n} for o, n in intent.lines.items()],
                    "recipient": RECIPIENT,
                    "payment": "stripe",
                },
                headers={**self._headers, "Idempotency-Key": key},
                timeout=ANSWER_TIMEOUT_S,
            )

        answer = self._until_answered("order", send)
        told = answer.json()
        if answer.status_code == 201:
            intent.answer = told
            intent.cookies = {name: str(value) for name, value in answer.cookies.items()}
        elif answer.status_code == 409 and told["code"] in ("out_of_stock", "limit_reached"):
            intent.refused = told["code"]
        else:
            self._witness.faults.append(f"order: {answer.status_code} {answer.text[:200]}")

    def _order_again(self, intent: Intent) -> None:
        """Repeat an order that was answered: the answer has to be the same."""
        first, self._witness.repeats = intent.answer, self._witness.repeats + 1
        self.order(intent)
        if intent.answer != first:
            self._witness.answered_otherwise.append(f"{first} became {intent.answer}")

    def pay(self, intent: Intent) -> None:
        """Open the payment's page, pay in the sandbox, and come back, or not."""
        assert intent.answer is not None
        page: str = intent.answer["pay_url"]
        answer = self._until_answered("pay", lambda: self._get(page, intent))
        if answer.status_code == 409:
            return  # it lapsed meanwhile, and the page says so
        to = answer.headers.get("Location", "")
        if answer.status_code != 303 or not to.startswith((self._sandbox.url, self._url)):
            self._witness.faults.append(f"pay: {answer.status_code} {to} {answer.text[:200]}")
            return
        if to.startswith(self._url):
            return  # it was paid already
        session_id = to.rpartition("/")[2].partition("#")[0]
        intent.sessions.append(session_id)
        if self._chance.random() < 0.8:
            self._pay_at(session_id)
        if self._comes_back and self._chance.random() < 0.6:
            self._until_answered("back", lambda: self._get(f"{page}/back", intent))

    def _pay_at(self, session_id: str) -> None:
        try:
            self._sandbox.pay(session_id, outcome=self._chance.choice(OUTCOMES))
        except requests.HTTPError as refused:
            # The session ended meanwhile: Stripe's page says so, and takes nothing.
            if refused.response is None or refused.response.status_code != 400:
                raise

    def _pay_late(self, intent: Intent) -> None:
        """Pay what was given back: the page of the payment service still stood open."""
        for session_id in intent.sessions:
            self._pay_at(session_id)

    def give_back(self, intent: Intent) -> None:
        """Cancel the order, again and again with one key."""
        assert intent.answer is not None
        key = uuid.uuid4().hex
        answer = self._until_answered(
            "give back",
            lambda: requests.post(
                f"{self._url}/orders/{intent.answer['number']}/cancel",  # type: ignore[index]
                data={"idempotency_key": key},
                headers=self._headers,
                allow_redirects=False,
                timeout=ANSWER_TIMEOUT_S,
            ),
        )
        if answer.status_code not in (302, 409):
            self._witness.faults.append(f"give back: {answer.status_code} {answer.text[:200]}")

    def _get(self, url: str, intent: Intent) -> requests.Response:
        return requests.get(
            url,
            headers=self._headers,
            cookies=intent.cookies,
            allow_redirects=False,
            timeout=ANSWER_TIMEOUT_S,
        )

    def _until_answered(
        self, what: str, send: Callable[[], requests.Response]
    ) -> requests.Response:
        """Send until there is an answer that is not "later". Raises Unanswered.

        A broken connection and 503 mean later; 500 too, but it is a fault of the shop.
        """
        pause_s, waited_s = 0.05, 0.0
        while waited_s < PATIENCE_S:
            try:
                answer = send()
            except requests.RequestException:
                pass
            else:
                if answer.status_code < 500:
                    return answer
                if answer.status_code != 503:
                    self._witness.faults.append(f"{what}: {answer.status_code}")
            self._pausing.wait(pause_s)
            waited_s += pause_s
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        raise Unanswered(f"{what}: no answer for {PATIENCE_S:.0f} s")
