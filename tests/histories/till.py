"""A payment service inside the process: what Stripe would say, at once and without a network.

It takes the place of the functions of `orders.payments.gateway`, obeys the same contracts
(repeats ask for the same thing, no refund above the charge, nothing is expired twice), and
like the real one may not be asked inside a transaction.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from kernel import clock
from kernel.db import assert_no_transaction
from orders.payments import gateway
from orders.payments.gateway import Asked, Charge, ProviderRefund, Session, StripeRefused

FEE_SHARE = 100


@dataclass
class Till:
    """Sessions, what paid them, and refunds."""

    sessions: dict[str, Session] = field(default_factory=dict)
    refunds: dict[str, ProviderRefund] = field(default_factory=dict)
    refunded: dict[str, int] = field(default_factory=dict)
    _by_key: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def open_session(self, asked: Asked) -> Session:
        """Open a session; the same try gets the same one."""
        assert_no_transaction()
        assert asked.until >= clock.now() + timedelta(minutes=30)
        key = f"{asked.payment_id}-{asked.attempt}"
        if key not in self._by_key:
            made = f"cs_{next(self._numbers)}"
            amount = sum(item.amount_fen * item.units for item in asked.items)
            self.sessions[made] = Session(made, "open", False, f"/{made}", amount, None)
            self._by_key[key] = made
        return self.sessions[self._by_key[key]]

    def session(self, session_id: str) -> Session:
        """How a session stands."""
        assert_no_transaction()
        return self.sessions[session_id]

    def expire_session(self, session_id: str) -> None:
        """End an open session."""
        assert_no_transaction()
        if self.sessions[session_id].status != "open":
            raise StripeRefused("session_not_open")
        self.sessions[session_id] = replace(self.sessions[session_id], status="expired", url=None)

    def pay(self, session_id: str) -> None:
        """Somebody pays on the session's page, if it is still open."""
        if self.sessions[session_id].status == "open":
            self.sessions[session_id] = replace(
                self.sessions[session_id],
                status="complete",
                paid=True,
                url=None,
                intent_id=f"pi_{session_id}",
            )

    def charge_of(self, intent_id: str) -> Charge:
        """What paid an intent."""
        assert_no_transaction()
        paid = self.sessions[intent_id.removeprefix("pi_")].amount_fen
        return Charge("card", paid // FEE_SHARE)

    def refund(self, intent_id: str, amount_fen: int, refund_id: str) -> ProviderRefund:
        """Begin to give money back; asked again for the same refund, nothing more happens."""
        assert_no_transaction()
        if refund_id not in self._by_key:
            back = self.refunded.get(intent_id, 0) + amount_fen
            if back > self.sessions[intent_id.removeprefix("pi_")].amount_fen:
                raise StripeRefused("more_than_the_charge")
            made = f"re_{next(self._numbers)}"
            self.refunded[intent_id] = back
            self.refunds[made] = ProviderRefund(made, "pending", "")
            self._by_key[refund_id] = made
        return self.refunds[self._by_key[refund_id]]

    def refund_now(self, provider_id: str) -> ProviderRefund:
        """How a refund stands."""
        assert_no_transaction()
        return self.refunds[provider_id]

    def refunds_of(self, intent_id: str) -> list[ProviderRefund]:
        """What went back to an intent: all of it was asked for by us."""
        assert_no_transaction()
        return []

    def end_refunds(self, *, fail: bool) -> None:
        """Every refund that is on its way ends."""
        status, why = ("failed", "expired_or_canceled_card") if fail else ("succeeded", "")
        for name, one in self.refunds.items():
            if one.status == "pending":
                self.refunds[name] = ProviderRefund(name, status, why)


@contextmanager
def open_till() -> Iterator[Till]:
    """Let payments go to a till of this process instead of Stripe."""
    till = Till()
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "open_session",
            "session",
            "expire_session",
            "charge_of",
            "refund",
            "refund_now",
            "refunds_of",
        ):
            patch.setattr(gateway, name, getattr(till, name))
        yield till
