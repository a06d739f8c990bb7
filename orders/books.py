"""Which movement of money touches which accounts of the ledger: one function each."""

from __future__ import annotations

from collections.abc import Mapping

from kernel import ledger
from kernel.ledger import AccountKind, Movement, credit, debit
from kernel.money import Money
from orders.model import Dispute, Payment, PaymentMethod, Refund, Settlement

BOOK = "xiangji"
"""The book of this installation's region."""

CLEARING = {
    PaymentMethod.STRIPE: AccountKind.PROVIDER_CLEARING,
    PaymentMethod.TRANSFER: AccountKind.TRANSFER_CLEARING,
    PaymentMethod.CASH: AccountKind.CASH_CLEARING,
}


def owner_of(unit_id: int | None) -> str:
    """Return the ledger's name for a buying unit, empty for everybody else."""
    return f"unit:{unit_id}" if unit_id else ""


def captured(payment: Payment) -> None:
    """Money came in for orders that are not a receivable."""
    captured_all(payment.method, {payment.public_id: Money(payment.captured_fen)})


def captured_all(method: PaymentMethod, amounts: Mapping[str, Money]) -> None:
    """Money came in by one method, for each of these payments (public id → amount)."""
    ledger.post_all(
        BOOK,
        "payment",
        [
            Movement(
                payment,
                [debit(CLEARING[method], amount), credit(AccountKind.BUYER_PREPAID, amount)],
                {"method": method},
            )
            for payment, amount in amounts.items()
        ],
    )


def captured_again(payment: Payment, refund: Refund, method: PaymentMethod) -> None:
    """A paid payment's money came once more, by `method`; all of it is owed back by `refund`."""
    amount = Money(refund.amount_fen)
    ledger.post(
        BOOK,
        "payment",
        f"{payment.public_id}:{refund.public_id}",
        [
            debit(CLEARING[method], amount),
            credit(AccountKind.BUYER_PREPAID, amount),
        ],
        {"method": method},
    )


def unit_owes(payment: Payment) -> None:
    """A unit closed its group order and owes the sum by transfer."""
    amount = Money(payment.amount_fen)
    ledger.post(
        BOOK,
        "receivable",
        payment.public_id,
        [
            debit(AccountKind.RECEIVABLE, amount, owner_of(payment.unit_id)),
            credit(AccountKind.BUYER_PREPAID, amount),
        ],
    )


def unit_owes_less(payment: Payment, amount: Money, cause: str) -> None:
    """A shortage or a cancellation reduced what a unit has not yet paid."""
    ledger.post(
        BOOK,
        "receivable_cut",
        f"{payment.public_id}:{cause}",
        [
            debit(AccountKind.BUYER_PREPAID, amount),
            credit(AccountKind.RECEIVABLE, amount, owner_of(payment.unit_id)),
        ],
    )


def unit_paid(payment: Payment) -> None:
    """The unit's transfer arrived and clears its receivable."""
    amount = Money(payment.captured_fen)
    ledger.post(
        BOOK,
        "payment",
        payment.public_id,
        [
            debit(AccountKind.TRANSFER_CLEARING, amount),
            credit(AccountKind.RECEIVABLE, amount, owner_of(payment.unit_id)),
        ],
        {"method": payment.method},
    )


def provider_fee_again(payment: Payment, refund: Refund, fee: Money) -> bool:
    """The provider kept its fee of what came once more and goes back by `refund`.

    False when that was posted before, or nothing was kept.
    """
    return bool(provider_fees({f"{payment.public_id}:{refund.public_id}": fee}))


def provider_fees(amounts: Mapping[str, Money]) -> Mapping[str, int]:
    """The provider kept its fee of each of these payments (public id → amount).

    Returns those that were not posted before, by reference.
    """
    return ledger.post_all(
        BOOK,
        "provider_fee",
        [
            Movement(
                payment,
                [
                    debit(AccountKind.PROVIDER_FEES, amount),
                    credit(AccountKind.PROVIDER_CLEARING, amount),
                ],
            )
            for payment, amount in amounts.items()
            if amount
        ],
    )


def refund_owed(refund: Refund) -> None:
    """We owe a buyer money back."""
    amount = Money(refund.amount_fen)
    ledger.post(
        BOOK,
        "refund_owed",
        refund.public_id,
        [debit(AccountKind.BUYER_PREPAID, amount), credit(AccountKind.REFUNDS_OWED, amount)],
        {"cause": refund.cause},
    )


def refund_split(refund: Refund, part: Refund) -> None:
    """A part of what `refund` owes is owed by `part` from now on."""
    amount = Money(part.amount_fen)
    ledger.post(
        BOOK,
        "refund_less",
        f"{refund.public_id}:{part.public_id}",
        [debit(AccountKind.REFUNDS_OWED, amount), credit(AccountKind.BUYER_PREPAID, amount)],
        {"cause": refund.cause},
    )
    refund_owed(part)


def _once_more(kind: str, refund: Refund) -> str:
    """Return the reference of a movement that may happen to one refund several times.

    The caller has locked the refund.
    """
    times = ledger.times(BOOK, kind, refund.public_id)
    return f"{refund.public_id}:{times + 1}" if times else refund.public_id


def _way(refund: Refund) -> AccountKind:
    """Return the account from which the provider gives a refund back.

    By a chargeback the money had left before, for as long as nobody knew for whom.
    """
    charged_back = refund.dispute_id is not None
    return AccountKind.CHARGED_BACK if charged_back else AccountKind.PROVIDER_CLEARING


def refund_paid(refund: Refund) -> None:
    """The money back left by the provider."""
    amount = Money(refund.amount_fen)
    ledger.post(
        BOOK,
        "refund_paid",
        _once_more("refund_paid", refund),
        [debit(AccountKind.REFUNDS_OWED, amount), credit(_way(refund), amount)],
    )


def refund_bounced(refund: Refund) -> None:
    """The provider reported a refund as failed after it had left: it is owed again."""
    amount = Money(refund.amount_fen)
    ledger.post(
        BOOK,
        "refund_bounced",
        _once_more("refund_bounced", refund),
        [debit(_way(refund), amount), credit(AccountKind.REFUNDS_OWED, amount)],
    )


def debt_repaid(refund: Refund) -> None:
    """A refund that could not go back the way the money came was paid by transfer."""
    amount = Money(refund.amount_fen)
    ledger.post(
        BOOK,
        "debt_repaid",
        _once_more("debt_repaid", refund),
        [debit(AccountKind.REFUNDS_OWED, amount), credit(AccountKind.TRANSFER_CLEARING, amount)],
    )


def refund_twice(refund: Refund) -> None:
    """The provider gave back, after all, what was repaid by transfer: the buyer has it twice."""
    amount = Money(refund.amount_fen)
    ledger.post(
        BOOK,
        "refund_twice",
        _once_more("refund_twice", refund),
        [
            debit(AccountKind.REFUNDED_TWICE, amount),
            credit(_way(refund), amount),
        ],
    )


def refund_once(refund: Refund, into: AccountKind | None = None) -> None:
    """One of a refund's two payments is here again: the provider's, or in the account `into`."""
    amount, into = Money(refund.amount_fen), into or _way(refund)
    ledger.post(
        BOOK,
        "refund_once",
        _once_more("refund_once", refund),
        [debit(into, amount), credit(AccountKind.REFUNDED_TWICE, amount)],
    )


def dispute_moved(dispute: Dispute, movement: str, amount: Money, fee: Money) -> bool:
    """The provider took `amount` back for a buyer's bank, and `fee` for itself; either may return.

    `movement` is the provider's name of it. False when it was posted before, or is nothing.
    """
    if not amount and not fee:
        return False
    entries = [
        debit(AccountKind.CHARGED_BACK, amount),
        debit(AccountKind.PROVIDER_FEES, fee),
        credit(AccountKind.PROVIDER_CLEARING, amount + fee),
    ]
    return ledger.post(BOOK, "dispute", f"{dispute.public_id}:{movement}", entries) is not None


def seller_owner(seller_public_id: str) -> str:
    """Return the ledger's name for a seller."""
    return f"seller:{seller_public_id}"


def settled(settlement: Settlement, owner: str) -> None:
    """What buyers prepaid for delivered lines is owed to the seller (`owner`)."""
    amount = Money(settlement.total_fen)
    ledger.post(
        BOOK,
        "settlement",
        settlement.public_id,
        [
            debit(AccountKind.BUYER_PREPAID, amount),
            credit(AccountKind.SELLER_PAYABLE, amount, owner),
        ],
    )


def shared_with_households(settlement: Settlement, amount: Money, owner: str) -> None:
    """A part of what a seller is owed belongs to the households behind it."""
    ledger.post(
        BOOK,
        "household_share",
        settlement.public_id,
        [
            debit(AccountKind.SELLER_PAYABLE, amount, owner),
            credit(AccountKind.HOUSEHOLD_PAYABLE, amount, owner),
        ],
    )


def paid_out(settlement: Settlement, households: Money, owner: str, proposal: str) -> None:
    """A settlement left by transfer: `households` of it to them, the rest to the seller.

    `proposal` names what tells which two people did it (`kernel.second_person`), and keeps this
    payout apart from one that the bank returned.
    """
    for kind, account, amount in _parts(settlement, households):
        ledger.post(
            BOOK,
            kind,
            f"{settlement.public_id}:{proposal}",
            [debit(account, amount, owner), credit(AccountKind.TRANSFER_CLEARING, amount)],
            {"proposal": proposal},
        )


def payout_returned(settlement: Settlement, households: Money, owner: str, proposal: str) -> None:
    """The bank returned a settlement's transfer: all of it is owed again, as before `paid_out`."""
    for kind, account, amount in _parts(settlement, households):
        ledger.post(
            BOOK,
            f"{kind}_returned",
            f"{settlement.public_id}:{proposal}",
            [debit(AccountKind.TRANSFER_CLEARING, amount), credit(account, amount, owner)],
            {"proposal": proposal},
        )


def _parts(settlement: Settlement, households: Money) -> list[tuple[str, AccountKind, Money]]:
    """Return a payout's movements that are not zero: kind, from which account, how much."""
    parts = [
        ("payout", AccountKind.SELLER_PAYABLE, Money(settlement.total_fen) - households),
        ("household_payout", AccountKind.HOUSEHOLD_PAYABLE, households),
    ]
    return [part for part in parts if part[2]]
