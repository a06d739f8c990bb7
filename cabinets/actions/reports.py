"""What devices report: each sequence number counts once, in any order and however often."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import BigInteger, Row, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, joinedload

from cabinets.actions import operated
from cabinets.actions.sales import difference_of, sell
from cabinets.model import Cabinet, DeviceReport, ReportGap, StockDifference
from kernel import audit, clock
from kernel.access import Viewer, found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Invalid, Refusal
from kernel.text import cleaned

MAX_REPORTS = 1000
"""How many reports come in one batch, which is one transaction."""

CONFLICT = "sequence_conflict"
"""Name of the difference that a second report under one number is."""


class SignatureWrong(Refusal):
    """The body was not signed with the key of this cabinet."""

    status = 401
    code = "signature_invalid"
    message = _l("签名不对。用这个柜子自己的密钥对原文签名。")


@dataclass(frozen=True, slots=True)
class Report:
    """One event of a device. `facts` is all of it but the number and the device's own time.

    The device counts from one with each key; what is kept goes on from what its cabinet had.
    """

    sequence: int
    kind: str
    facts: Mapping[str, Any]
    device_time: str = ""

    @property
    def hash(self) -> str:
        """What tells a repeat from another event under the same number; the time counts too."""
        content = [self.kind, dict(self.facts), self.device_time]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class Receipt:
    """What became of a cabinet's batch, by the device's own numbers."""

    cabinet_id: int
    accepted: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    conflicting: list[int] = field(default_factory=list)


def lock_cabinet(session: Session, code: str) -> Cabinet:
    """Lock a cabinet, so that two batches of one device follow each other. Raises NotFound."""
    return found(
        session.scalar(
            select(Cabinet)
            .where(Cabinet.code == code)
            .options(joinedload(Cabinet.site, innerjoin=True))
            .with_for_update(of=Cabinet)
            .execution_options(populate_existing=True)
        )
    )


def receive(code: str, reports: Iterable[Report], key: str | None = None) -> Receipt:
    """Take a batch of reports from the device of cabinet `code`, and say what became of each.

    A report that is known changes nothing; one whose number is known with other content is
    kept beside the first and named. A sale has happened and is never refused: what we did
    not expect, or cannot tell the goods of, becomes a difference with a name. `key` is what
    signed the batch (None: nobody looked). Raises NotFound, and SignatureWrong when the cabinet
    has another key by now: the numbers belong to the count of the old one.
    """
    with transaction() as session:
        cabinet = lock_cabinet(session, code)
        if key is not None and key != cabinet.device_key:
            raise SignatureWrong()
        receipt = Receipt(cabinet.id)
        counted = [replace(one, sequence=cabinet.counted_from + one.sequence) for one in reports]
        in_order = sorted(counted, key=lambda one: one.sequence)
        fresh, conflicts = _sort_out(session, cabinet, in_order, receipt)
        kept = [_kept(cabinet, one) for one in fresh]
        beside = [_kept(cabinet, one, conflicting=True) for one in conflicts]
        session.add_all([*kept, *beside])
        session.flush()
        # With the highest number, so that the cabinet is written once.
        cabinet.last_seen_at = clock.now()
        _note_gaps(session, cabinet, [one.sequence for one in fresh])
        sell(session, cabinet, kept)
        for one in beside:
            if one.kind == "sale":
                session.add(difference_of(cabinet, None, CONFLICT, one))
        if any(one.kind == "temperature" for one in fresh):
            _note_temperature(session, cabinet)
    return receipt


def _sort_out(
    session: Session, cabinet: Cabinet, reports: Sequence[Report], receipt: Receipt
) -> tuple[list[Report], list[Report]]:
    """Return what is new, and what is new under a number that is taken; fill in the receipt."""
    rows = _known(session, cabinet, {one.sequence for one in reports})
    first = {row.sequence: row.body_hash for row in rows if not row.conflicting}
    seen = {(row.sequence, row.body_hash) for row in rows}
    fresh, conflicts = [], []
    for one in reports:
        own = one.sequence - cabinet.counted_from
        if one.sequence not in first:
            first[one.sequence] = one.hash
            fresh.append(one)
            receipt.accepted.append(own)
        elif first[one.sequence] == one.hash:
            receipt.repeated.append(own)
        else:
            receipt.conflicting.append(own)
            if (one.sequence, one.hash) not in seen:
                conflicts.append(one)
        seen.add((one.sequence, one.hash))
    return fresh, conflicts


def _known(
    session: Session, cabinet: Cabinet, numbers: Collection[int]
) -> Sequence[Row[int, str, bool]]:
    """Return the reports that came under these numbers before: none above the highest."""
    asked = [one for one in numbers if one <= cabinet.last_sequence]
    if not asked:
        return []
    return session.execute(
        select(DeviceReport.sequence, DeviceReport.body_hash, DeviceReport.conflicting).where(
            DeviceReport.cabinet_id == cabinet.id, DeviceReport.sequence.in_(asked)
        )
    ).all()


def _kept(cabinet: Cabinet, one: Report, *, conflicting: bool = False) -> DeviceReport:
    return DeviceReport(
        cabinet_id=cabinet.id,
        sequence=one.sequence,
        kind=one.kind,
        body=dict(one.facts),
        body_hash=one.hash,
        device_time=one.device_time,
        conflicting=conflicting,
    )


_TAKE_GAPS = text(
    """
    DELETE FROM report_gap WHERE cabinet_id = :cabinet AND EXISTS (
        SELECT 1 FROM unnest(:came) AS n WHERE n BETWEEN first AND last
    )
    RETURNING first, last
    """
).bindparams(bindparam("came", type_=ARRAY(BigInteger)))


def _note_gaps(session: Session, cabinet: Cabinet, came: Sequence[int]) -> None:
    """Keep what is missing up to date with the new sequence numbers of a locked cabinet."""
    if not came:
        return
    before, highest = cabinet.last_sequence, max(came)
    touched = []
    if min(came) <= before:
        gaps = session.execute(_TAKE_GAPS, {"cabinet": cabinet.id, "came": came})
        touched = [(row.first, row.last) for row in gaps]
    if highest > before:
        touched.append((before + 1, highest))
        cabinet.last_sequence = highest
    missing = without(sorted(touched), sorted(came))
    if missing:
        session.execute(
            insert(ReportGap),
            [{"cabinet_id": cabinet.id, "first": a, "last": b} for a, b in missing],
        )


def without(spans: Sequence[tuple[int, int]], numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return what is left of `spans` (first to last) when `numbers` are taken out; both sorted."""
    left, waiting = [], iter([*numbers, math.inf])
    number = next(waiting)
    for first, last in spans:
        while number < first:
            number = next(waiting)
        while number <= last:
            if number > first:
                left.append((first, int(number) - 1))
            first, number = int(number) + 1, next(waiting)
        if first <= last:
            left.append((first, last))
    return left


def _note_temperature(session: Session, cabinet: Cabinet) -> None:
    """Keep the temperature with the highest number: clocks and arrival say nothing."""
    latest = session.scalar(
        select(DeviceReport.body)
        .where(
            DeviceReport.cabinet_id == cabinet.id,
            DeviceReport.kind == "temperature",
            ~DeviceReport.conflicting,
        )
        .order_by(DeviceReport.sequence.desc())
        .limit(1)
    )
    if latest is not None:
        cabinet.temperature_tenths = latest["tenths"]


def explain(viewer: Viewer, code: str, difference: str, explanation: str) -> StockDifference:
    """Say why a difference (by public id) came about, and return it; again changes the words.

    Raises NotFound, and Invalid without words.
    """
    words = cleaned(explanation)
    if not 1 <= len(words) <= 200:
        raise Invalid(fields={"explanation": _l("写一句说明，最多 200 字。")})
    with transaction() as session:
        cabinet = operated(viewer, code, lock=True)
        one = found(
            session.scalar(
                select(StockDifference).where(
                    StockDifference.cabinet_id == cabinet.id,
                    StockDifference.public_id == difference,
                )
            )
        )
        one.explained_at = one.explained_at or clock.now()
        one.explanation = words
        audit.note(
            Act.DIFFERENCE_EXPLAINED, f"difference:{difference}", account_id=viewer.account_id
        )
    return one
