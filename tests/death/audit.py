"""What counts in the end: what buyers were told, what the sandbox took, and what the books say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from marketplace import check
from tests.death.buyers import Intent, Witness
from tests.death.shop import NotWhole, Shop, until

JOB_PATIENCE_S = 20.0


@dataclass
class Verdict:
    """Every list names what is wrong; a clean run has nothing in any of them."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    oversold: list[str] = field(default_factory=list)
    charged_twice: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    misrecorded: list[str] = field(default_factory=list)
    kept_without_goods: list[str] = field(default_factory=list)
    imbalance: list[str] = field(default_factory=list)
    laws: list[str] = field(default_factory=list)
    stuck_jobs: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    answered_otherwise: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def found(self) -> dict[str, list[str]]:
        """Only what is wrong, by name."""
        return {name: faults for name, faults in vars(self).items() if faults}


@dataclass
class Taken:
    """What the sandbox has of one payment of ours, in fen."""

    captures: list[int] = field(default_factory=list)
    intents: list[str] = field(default_factory=list)
    refunded: int = 0

    @property
    def net(self) -> int:
        """What it keeps."""
        return sum(self.captures) - self.refunded


def audit(shop: Shop, witness: Witness) -> Verdict:
    """Hold everything against everything. Nothing is running or waiting any more."""
    verdict = Verdict(
        unanswered=witness.unanswered,
        answered_otherwise=witness.answered_otherwise,
        faults=witness.faults,
    )
    with shop.connect() as connection:
        _check_orders(verdict, connection, witness.intents)
        _check_money(verdict, connection, taken_by(shop))
        verdict.oversold = _lines(
            connection,
            "SELECT format('lot %s: %s of %s', id, promised, offered) FROM lot"
            " WHERE promised > offered OR promised < 0"
            " UNION ALL SELECT format('lot %s: %s promised, %s sold', l.id, l.promised, s.units)"
            " FROM lot l JOIN (SELECT lot_id, sum(quantity - released) AS units FROM order_line"
            " GROUP BY lot_id) s ON s.lot_id = l.id WHERE s.units > l.offered",
        )
        verdict.imbalance = _lines(
            connection,
            "SELECT format('transaction %s: %s fen', transaction_id, sum(amount_fen))"
            " FROM posting GROUP BY transaction_id HAVING sum(amount_fen) <> 0",
        )
        verdict.stuck_jobs = _stuck_jobs(connection)
    with shop.app.app_context():
        verdict.laws = [check.said(finding) for finding in check.check() if not finding.holds]
    return verdict


def _stuck_jobs(connection: psycopg.Connection) -> list[str]:
    """Jobs that do not come to an end. The clock goes on giving jobs, and those do."""
    doing: dict[int, str] = dict(
        connection.execute(
            "SELECT id, format('job %s %s: %s', id, task_name, status) FROM procrastinate_jobs"
            " WHERE status = 'doing'"
        )
    )

    def left() -> list[str]:
        """Those that are still being done."""
        still = connection.execute(
            "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND id = ANY(%s) ORDER BY id",
            [list(doing)],
        )
        return [doing[row[0]] for row in still]

    with suppress(NotWhole):
        until(lambda: not left(), JOB_PATIENCE_S, "the jobs at hand have ended")
    return left()


def _lines(connection: psycopg.Connection, query: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(query)]


def _check_orders(
    verdict: Verdict, connection: psycopg.Connection, intents: Sequence[Intent]
) -> None:
    """Every answer has its order as answered, and no order is there that nobody was told of."""
    kept: dict[str, dict[str, Any]] = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(
            "SELECT o.number, o.account_id, o.total_fen, jsonb_object_agg(f.public_id, l.quantity)"
            " AS lines FROM orders o JOIN order_line l ON l.order_id = o.id"
            " JOIN offer f ON f.id = l.offer_id GROUP BY o.id"
        ):
            kept[row["number"]] = row
    told = set()
    for intent in intents:
        if intent.answer is None:
            continue
        number = intent.answer["number"]
        if number in told:
            verdict.doubled.append(f"{number} was the answer to two intents")
        told.add(number)
        order = kept.get(number)
        as_told = (intent.account_id, intent.answer["total_fen"], intent.lines)
        if order is None:
            verdict.lost.append(f"{number} was answered and is not there")
        elif (order["account_id"], order["total_fen"], order["lines"]) != as_told:
            verdict.lost.append(f"{number} is there as {order}, answered as {as_told}")
    verdict.doubled += [
        f"{number} is there, and nobody asked for it" for number in kept.keys() - told
    ]


def taken_by(shop: Shop) -> dict[str, Taken]:
    """What the sandbox's own record says, by the payment's public id."""
    client = shop.sandbox.client()
    taken: dict[str, Taken] = defaultdict(Taken)
    of_intent: dict[str, str] = {}
    for intent in client.v1.payment_intents.list({"limit": 100}).auto_paging_iter():
        payment = intent.to_dict()["metadata"]["payment"]
        of_intent[intent.id] = payment
        if intent.status == "succeeded":
            taken[payment].captures.append(intent.amount_received)
            taken[payment].intents.append(intent.id)
    for refund in client.v1.refunds.list({"limit": 100}).auto_paging_iter():
        if refund.status == "succeeded":
            taken[of_intent[str(refund.payment_intent)]].refunded += refund.amount
    return taken


_PAYMENTS = """
    SELECT p.public_id, p.state, p.captured_fen, p.refunded_fen, o.state AS order_state, o.number,
        o.total_fen,
        coalesce(sum(r.amount_fen) FILTER (WHERE r.state = 'succeeded'), 0)::bigint AS given_back,
        coalesce(sum(r.amount_fen) FILTER (WHERE r.state = 'debt'), 0)::bigint AS debt,
        coalesce(sum(r.amount_fen) FILTER (WHERE r.state = 'pending'), 0)::bigint AS pending
    FROM payment p
    JOIN payment_share s ON s.payment_id = p.id
    JOIN orders o ON o.id = s.order_id
    LEFT JOIN refund r ON r.payment_id = p.id
    GROUP BY p.id, o.id
"""


def _check_money(verdict: Verdict, connection: psycopg.Connection, taken: dict[str, Taken]) -> None:
    """Each order is charged at most once, and each fen taken or given back is in our books."""
    with connection.cursor(row_factory=dict_row) as cursor:
        ours = {row["public_id"]: row for row in cursor.execute(_PAYMENTS)}
    for payment_id in taken.keys() - ours.keys():
        verdict.unrecorded.append(f"{payment_id}: the sandbox took money for nothing of ours")
    for payment_id, row in ours.items():
        theirs = taken.get(payment_id, Taken())
        name = f"{row['number']} ({payment_id})"
        if theirs.net > row["total_fen"] or len(theirs.captures) > 1:
            verdict.charged_twice.append(f"{name}: took {theirs.captures}, due {row['total_fen']}")
        if theirs.captures and row["state"] != "captured":
            verdict.unrecorded.append(f"{name}: took {theirs.captures}, ours is {row['state']}")
            continue
        if sum(theirs.captures) != row["captured_fen"] or theirs.refunded != row["given_back"]:
            verdict.misrecorded.append(f"{name}: {theirs} against {row}")
        if row["pending"]:
            verdict.misrecorded.append(f"{name}: {row['pending']} fen wait to go back")
        sold = row["order_state"] in ("confirmed", "handed")
        owed_back = row["captured_fen"] - row["given_back"] - row["debt"]
        if owed_back != (row["total_fen"] if sold else 0):
            verdict.kept_without_goods.append(f"{name} is {row['order_state']}: {row}")
