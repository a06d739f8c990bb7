"""Households behind a seller, masked outside need, and how income reaches them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date

from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from kernel import audit, clock
from kernel.access import found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid
from kernel.identity import Account, Membership, MembershipState, Role
from sellers.model import BenefitPlan, Household, HouseholdStatus

PLAN_KINDS = ("delivery", "shares", "wage", "second")
MAX_WEIGHT = 10_000
"""The most shares that one household may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdFacts:
    """What is known of a household. None leaves an encrypted field as it is on a change."""

    number: str
    status: HouseholdStatus
    name: str | None = None
    phone: str | None = None
    bank_account: str | None = None
    status_evidence: str = ""
    status_until: date | None = None
    share_weight: int = 1
    steward_id: int | None = None


_PERSONAL = ("name", "phone", "bank_account")
_REVIEWED = ("status", "status_evidence", "status_until")
"""What a steward has looked at; once it changes, it waits to be looked at again."""


def _check(facts: HouseholdFacts) -> None:
    wrong = {}
    if not facts.number.strip():
        wrong["number"] = _l("写上户号，如 017。")
    if facts.status is not HouseholdStatus.ORDINARY and not facts.status_evidence.strip():
        wrong["status_evidence"] = _l("脱贫户、监测户要写依据，如 认定文件的名称和日期。")
    if not 1 <= facts.share_weight <= MAX_WEIGHT:
        wrong["share_weight"] = _l("份数写 1 到 10000 的整数。")
    if wrong:
        raise Invalid(fields=wrong)


def _refuse_taken(seller_id: int, number: str, but: int | None = None) -> None:
    with transaction() as session:
        taken = session.scalar(
            select(Household.id).where(Household.seller_id == seller_id, Household.number == number)
        )
    if taken is not None and taken != but:
        raise Invalid(fields={"number": _l("这个户号已经有了，换一个。")})


def steward_called(login: str, seller_id: int) -> int | None:
    """Return the account of the seller's steward who signs in as `login`; None for no login.

    Raises Invalid when the seller has no such steward.
    """
    if not login.strip():
        return None
    with transaction() as session:
        account_id = session.scalar(
            select(Account.id)
            .join(Membership, Membership.account_id == Account.id)
            .where(
                Account.login == login.strip().lower(),
                Membership.role == Role.STEWARD,
                Membership.organisation_id == seller_id,
                Membership.state == MembershipState.ACTIVE,
            )
        )
    if account_id is None:
        raise Invalid(fields={"steward_login": _l("没有这位帮扶责任人。核对登录名，或先留空。")})
    return account_id


def add_household(seller_id: int, facts: HouseholdFacts) -> Household:
    """Add a household behind a seller and return it. Raises Invalid."""
    _check(facts)
    with transaction() as session:
        _refuse_taken(seller_id, facts.number)
        household = Household(seller_id=seller_id, **dataclasses.asdict(facts))
        session.add(household)
        session.flush()
    return household


def change_household(household_id: int, facts: HouseholdFacts) -> Household:
    """Change a household and return it; personal fields that are None stay. Raises Invalid."""
    _check(facts)
    with transaction() as session:
        household = found(session.get(Household, household_id))
        _refuse_taken(household.seller_id, facts.number, but=household_id)
        if any(getattr(household, name) != getattr(facts, name) for name in _REVIEWED):
            household.status_reviewed_by = None
        for name, value in dataclasses.asdict(facts).items():
            if value is not None or name not in _PERSONAL:
                setattr(household, name, value)
    return household


def review_status(household_id: int, account_id: int) -> Household:
    """Say as the steward `account_id` that the evidence of a household's status is right.

    A second word changes nothing. Raises Conflict (nothing_to_review) for an ordinary one.
    """
    with transaction() as session:
        household = found(session.get(Household, household_id, with_for_update=True))
        if household.status is HouseholdStatus.ORDINARY:
            raise Conflict(_l("一般户不用核对。"), code="nothing_to_review")
        if household.status_reviewed_by is None:
            household.status_reviewed_by = account_id
            subject = f"household:{household.public_id}"
            audit.note(Act.HOUSEHOLD_REVIEWED, subject, account_id=account_id)
    return household


@dataclass(frozen=True, slots=True)
class Revealed:
    """Personal data of one household, unmasked."""

    name: str
    phone: str
    bank_account: str


def reveal_household(household_id: int, account_id: int, reason: str) -> Revealed:
    """Return a household's personal data, and remember who looked and why.

    Raises Invalid without a reason.
    """
    with transaction() as session:
        household = found(session.get(Household, household_id))
        subject = f"household:{household.public_id}"
        audit.reveal(Act.HOUSEHOLD_REVEALED, subject, account_id=account_id, reason=reason)
        return Revealed(household.name or "", household.phone or "", household.bank_account or "")


def plan_benefits(
    seller_id: int,
    *,
    kind: str,
    basis_points: int,
    note_zh: str = "",
    note_en: str = "",
    starts_on: date | None = None,
) -> BenefitPlan:
    """Say how the seller's income reaches households from a day on, and return the plan.

    `basis_points` is the share in hundredths of a percent. Raises Invalid.
    """
    wrong = {}
    if kind not in PLAN_KINDS:
        wrong["kind"] = _l("选一种方式。")
    if not 0 < basis_points <= 10_000:
        wrong["basis_points"] = _l("比例写 0.01 到 100 之间。")
    if wrong:
        raise Invalid(fields=wrong)
    with transaction() as session:
        plan = BenefitPlan(
            seller_id=seller_id,
            kind=kind,
            basis_points=basis_points,
            note_zh=note_zh,
            note_en=note_en,
            starts_on=starts_on or clock.today(),
        )
        session.add(plan)
        session.flush()
    return plan
