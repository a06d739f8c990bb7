"""A seller registers, shows its papers, and is verified or returned by the platform's staff."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update

from kernel import audit, clock, files
from kernel.access import found
from kernel.audit import Act
from kernel.db import db, public_code, transaction
from kernel.errors import Conflict, Invalid, SecondPersonNeeded
from kernel.identity import Account, Membership, Organisation, OrganisationKind, Role, grant
from sellers.model import (
    Certificate,
    CertificateState,
    Product,
    Seller,
    SellerKind,
    SellerState,
)
from sellers.search import write_terms

LICENCE = "licence"
"""The kind of certificate without which nobody is verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerFacts:
    """What a seller says about itself. None leaves an encrypted field as it is on a change."""

    kind: SellerKind
    name_zh: str
    province: str
    city: str
    county: str
    township: str = ""
    village: str = ""
    name_en: str = ""
    contact_phone: str | None = None
    bank_account: str | None = None
    households_count: int = 0
    registered_count: int = 0
    story_zh: str = ""
    story_en: str = ""


# What staff looked at when it verified; a change of it needs another look.
_VERIFIED_FACTS = ("kind", "name_zh", "province", "city", "county", "township", "village")
_OF_ORGANISATION = ("name_zh", "name_en")
_BANK = "bank_account"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: its content and the name that the sender gave it."""

    data: bytes
    name: str


def _check(facts: SellerFacts) -> None:
    if facts.registered_count > facts.households_count:
        message = _l("脱贫户不会比带动的农户还多。检查这两个数。")
        raise Invalid(fields={"registered_count": message})


def register_seller(account_id: int, facts: SellerFacts) -> Seller:
    """Create a seller in draft, with `account_id` as its clerk, and return it.

    Raises Conflict when the account is the clerk of a seller already, Invalid for facts that
    contradict each other.
    """
    _check(facts)
    with transaction() as session:
        # The account's row is locked, so that a double click makes one seller.
        account = found(session.get(Account, account_id, with_for_update=True))
        taken = select(Membership.id).where(
            Membership.account_id == account_id, Membership.role == Role.CLERK
        )
        if session.scalar(taken) is not None:
            raise Conflict(
                _l("这个账号已经登记过供货方。到“我的供货方”里修改。"), code="already_registered"
            )
        organisation = Organisation(
            kind=OrganisationKind.SELLER,
            code=f"seller-{public_code()}",
            name_zh=facts.name_zh,
            name_en=facts.name_en,
            region=facts.county,
        )
        session.add(organisation)
        session.flush()
        kept = (*_OF_ORGANISATION, _BANK)
        own = {k: v for k, v in dataclasses.asdict(facts).items() if k not in kept}
        seller = Seller(id=organisation.id, organisation=organisation, **own)
        session.add(seller)
        _write_bank(seller, facts.bank_account, account_id)
        session.flush()
        grant(account, Role.CLERK, organisation)
    return seller


def _locked(seller_id: int) -> Seller:
    """Return the seller with its row locked until the transaction ends. Raises NotFound."""
    query = select(Seller).where(Seller.id == seller_id)
    return found(
        db.session.scalar(
            query.with_for_update(of=Seller).execution_options(populate_existing=True)
        )
    )


def _move(seller: Seller, to: SellerState) -> None:
    if to not in seller.state.moves:
        raise Conflict(
            _l("现在的状态不能做这一步。刷新后再看一次。"),
            code="wrong_state",
            state=str(seller.state),
        )
    seller.state = to


def _write_bank(seller: Seller, written: str | None, account_id: int) -> None:
    """Keep the bank account that `account_id` wrote; another one than before waits for staff."""
    if written is None or written == seller.bank_account:
        return
    seller.bank_account = written
    seller.bank_changed_at, seller.bank_changed_by = clock.now(), account_id
    seller.bank_checked_at = seller.bank_checked_by = None
    subject = f"seller:{seller.organisation.public_id}"
    audit.note(Act.BANK_ACCOUNT_CHANGED, subject, account_id=account_id)


def confirm_bank(seller_id: int, account_id: int, changed_at: datetime | None) -> Seller:
    """Let the seller be paid to its bank account, on the word of the staff member `account_id`.

    `changed_at` is since when the account stood that was looked at. Raises Conflict when it was
    changed since, or nothing waits, and SecondPersonNeeded for whoever wrote it.
    """
    with transaction():
        seller = _locked(seller_id)
        if not seller.bank_waits or seller.bank_changed_at != changed_at:
            raise Conflict(
                _l("收款账号刚改过，或者已经核对过了。刷新后再看一次。"), code="account_changed"
            )
        if seller.bank_changed_by == account_id:
            raise SecondPersonNeeded(_l("自己写的账号，要由另一位同事核对。"))
        seller.bank_checked_at, seller.bank_checked_by = clock.now(), account_id
        subject = f"seller:{seller.organisation.public_id}"
        audit.note(Act.BANK_ACCOUNT_CONFIRMED, subject, account_id=account_id)
    return seller


def hold_bank(seller_id: int) -> None:
    """Keep the seller's bank account as it is while it is paid to, in the caller's transaction.

    Raises Conflict (account_not_confirmed) while it waits for staff.
    """
    with transaction() as session:
        query = select(Seller).where(Seller.id == seller_id)
        held = query.with_for_update(of=Seller, read=True).execution_options(populate_existing=True)
        if found(session.scalar(held)).bank_waits:
            raise Conflict(
                _l("供货方的收款账号还没核对。核对了再打款。"), code="account_not_confirmed"
            )


def doubt_bank(seller_id: int, paid_at: datetime) -> None:
    """Let the account that was paid to at `paid_at` wait for staff again: the money came back.

    One that staff confirmed since then stands.
    """
    with transaction():
        seller = _locked(seller_id)
        if seller.bank_checked_at is not None and seller.bank_checked_at <= paid_at:
            seller.bank_checked_at = seller.bank_checked_by = None


def update_seller(seller_id: int, facts: SellerFacts, *, account_id: int) -> Seller:
    """Change what the seller says about itself and return it; `account_id` wrote it.

    Raises Conflict while staff looks at it, and for a change of name, kind or place once
    verified; Invalid for facts that contradict each other.
    """
    _check(facts)
    with transaction() as session:
        seller = _locked(seller_id)
        if seller.state is SellerState.SUBMITTED:
            raise Conflict(_l("平台正在审核，审完再改。"), code="being_verified")
        changed = [n for n in _VERIFIED_FACTS if getattr(seller, n) != getattr(facts, n)]
        if seller.state is SellerState.VERIFIED and changed:
            message = _l("认证后不能自己改。要改请联系平台退回。")
            raise Conflict(message, code="already_verified", fields=dict.fromkeys(changed, message))
        for name, value in dataclasses.asdict(facts).items():
            if value is None or name == _BANK:
                continue
            setattr(seller.organisation if name in _OF_ORGANISATION else seller, name, value)
        _write_bank(seller, facts.bank_account, account_id)
        seller.organisation.region = facts.county
        for product in session.scalars(select(Product).where(Product.seller_id == seller_id)):
            write_terms(product, seller)
    return seller


def add_certificate(
    seller_id: int,
    account_id: int | None,
    *,
    kind: str,
    number: str,
    issued_by: str = "",
    valid_until: date | None = None,
    product_id: int | None = None,
    upload: Upload | None,
) -> Certificate:
    """Keep a certificate with its file (seen only by the seller and staff) and return it.

    It waits for staff: buyers see its number once it was accepted. Raises Invalid when it has
    expired, or the file is missing, too large or unreadable; Conflict while staff looks.
    """
    if valid_until is not None and valid_until < clock.today():
        raise Invalid(fields={"valid_until": _l("这份证书已经过期。上传有效的一份。")})
    if upload is None or not upload.data:
        raise Invalid(fields={"file": _l("选一张照片或一份 PDF。")})
    with transaction() as session:
        seller = _locked(seller_id)
        if seller.state is SellerState.SUBMITTED:
            raise Conflict(_l("平台正在审核，审完再改。"), code="being_verified")
        stored = files.store(
            upload.data, upload.name, organisation_id=seller_id, account_id=account_id
        )
        certificate = Certificate(
            seller_id=seller_id,
            product_id=product_id,
            kind=kind,
            number=number,
            issued_by=issued_by,
            valid_until=valid_until,
            file=stored,
        )
        session.add(certificate)
        session.flush()
    return certificate


def submit(seller_id: int) -> Seller:
    """Ask staff to verify the seller, and return it.

    Raises Conflict in a state that does not allow it, Invalid without a valid licence or a
    phone number.
    """
    with transaction():
        seller = _locked(seller_id)
        day = clock.today()
        missing = {}
        if not any(
            c.kind == LICENCE and c.is_valid(day) and c.state is not CertificateState.RETURNED
            for c in seller.certificates
        ):
            missing["certificates"] = _l("还差营业执照。上传一张有效的再提交。")
        if not seller.contact_phone:
            missing["contact_phone"] = _l("还差联系电话。平台要打电话核对。")
        if missing:
            raise Invalid(next(iter(missing.values())), code="papers_missing", fields=missing)
        _move(seller, SellerState.SUBMITTED)
        seller.submitted_at = clock.now()
    return seller


def verify(seller_id: int, account_id: int, submitted_at: datetime | None = None) -> Seller:
    """Let the seller sell, on the word of the staff member `account_id`; its papers are accepted.

    No paper can come while staff looks, so that what is accepted here was looked at:
    `submitted_at` is when what was looked at was submitted (None: that is not told). Raises
    Conflict, also when it was returned and submitted again since (submitted_again).
    """
    with transaction() as session:
        seller = _locked(seller_id)
        if submitted_at is not None and seller.submitted_at != submitted_at:
            raise Conflict(
                _l("对方改过资料，又提交了一次。看看现在的，再点。"), code="submitted_again"
            )
        _move(seller, SellerState.VERIFIED)
        seller.verified_at = clock.now()
        seller.verified_by = account_id
        seller.return_reason = ""
        waiting = update(Certificate).where(
            Certificate.seller_id == seller_id, Certificate.state == CertificateState.PENDING
        )
        session.execute(
            waiting.values(
                state=CertificateState.ACCEPTED, reviewed_at=clock.now(), reviewed_by=account_id
            )
        )
        audit.note(
            Act.SELLER_VERIFIED, f"seller:{seller.organisation.public_id}", account_id=account_id
        )
    return seller


def return_to_seller(seller_id: int, account_id: int, reason: str) -> Seller:
    """Return the papers with a reason; a verified seller stops selling at once.

    Raises Invalid without a reason, Conflict in a state that does not allow it.
    """
    said = reason.strip()
    if not said:
        raise Invalid(fields={"reason": _l("写清楚要改什么，供货方会看到这句话。")})
    with transaction():
        seller = _locked(seller_id)
        _move(seller, SellerState.RETURNED)
        seller.return_reason = said[:300]
        subject = f"seller:{seller.organisation.public_id}"
        audit.note(Act.SELLER_RETURNED, subject, account_id=account_id, reason=said[:200])
    return seller


def reveal_contact(seller_id: int, account_id: int, reason: str) -> tuple[str, str]:
    """Return the seller's phone and bank account, and remember who looked and why.

    Raises Invalid for no reason.
    """
    with transaction():
        seller = _locked(seller_id)
        subject = f"seller:{seller.organisation.public_id}"
        audit.reveal(Act.SELLER_REVEALED, subject, account_id=account_id, reason=reason)
        return seller.contact_phone or "", seller.bank_account or ""


def _review(certificate_id: int, account_id: int, to: CertificateState, reason: str = "") -> None:
    """Move a paper to what staff said of it. Raises NotFound, and Conflict for a second word.

    Papers of a seller that is not verified are judged together, by verifying or returning it.
    """
    with transaction() as session:
        paper = found(session.get(Certificate, certificate_id))
        seller = _locked(paper.seller_id)  # whoever changes its papers holds its row
        session.refresh(paper)
        if seller.state is not SellerState.VERIFIED:
            raise Conflict(
                _l("这个供货方还没认证。到供货方那一页一起通过或退回。"), code="seller_not_verified"
            )
        if to not in paper.state.moves:
            raise Conflict(
                _l("这份证书已经审过了。刷新后再看一次。"),
                code="wrong_state",
                state=str(paper.state),
            )
        paper.state, paper.return_reason = to, reason[:300]
        paper.reviewed_at, paper.reviewed_by = clock.now(), account_id
        subject = f"certificate:{paper.public_id}"
        audit.note(Act(f"certificate_{to}"), subject, account_id=account_id, reason=reason[:200])


def accept_certificate(certificate_id: int, account_id: int) -> None:
    """Let buyers see a paper, on the word of the staff member `account_id`. Raises Conflict."""
    _review(certificate_id, account_id, CertificateState.ACCEPTED)


def return_certificate(certificate_id: int, account_id: int, reason: str) -> None:
    """Return one paper with a reason; buyers no longer see it. Raises Invalid, Conflict."""
    if not reason.strip():
        raise Invalid(fields={"reason": _l("写清楚要改什么，供货方会看到这句话。")})
    _review(certificate_id, account_id, CertificateState.RETURNED, reason.strip())
