"""The platform's staff looks at sellers' papers, and verifies or returns them."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow, my_account
from kernel.crypt import mask
from kernel.errors import Conflict, SecondPersonNeeded
from kernel.identity import Role
from sellers import actions
from sellers.forms.households import RevealForm
from sellers.forms.registration import ReturnForm
from sellers.model import CertificateState, SellerState
from sellers.queries import staff
from sellers.web.room import attempt, cursor, form_page

blueprint = Blueprint(
    "verification", __name__, url_prefix="/staff/sellers", template_folder="../templates"
)


@blueprint.get("")
@allow(Role.STAFF)
def index() -> ResponseReturnValue:
    """Sellers by state; those that wait come first."""
    asked = request.args.get("state", SellerState.SUBMITTED)
    state = SellerState(asked) if asked in list(SellerState) else None
    return render_template(
        "sellers/verification.html",
        page=staff.sellers(state, cursor()),
        counts=staff.seller_counts(),
        papers=staff.waiting_count(),
        accounts=staff.waiting_accounts(),
        state=state,
    )


@blueprint.get("/certificates")
@allow(Role.STAFF)
def certificates() -> ResponseReturnValue:
    """Papers that verified sellers added since, each to accept or return."""
    return render_template(
        "sellers/papers.html",
        page=staff.waiting_certificates(cursor()),
    )


@blueprint.get("/certificates/<public_id>")
@allow(Role.STAFF)
def certificate(public_id: str) -> ResponseReturnValue:
    """One paper, and what staff says of it."""
    return _paper(public_id, ReturnForm())


def _paper(public_id: str, form: ReturnForm) -> ResponseReturnValue:
    return form_page(
        "sellers/paper.html",
        form,
        paper=staff.certificate(public_id),
        today=clock.today(),
        states=CertificateState,
    )


@blueprint.post("/certificates/<public_id>/accept")
@allow(Role.STAFF)
def accept_certificate(public_id: str) -> ResponseReturnValue:
    """Let buyers see a paper."""
    paper = staff.certificate(public_id)
    try:
        actions.accept_certificate(paper.id, my_account())
    except Conflict as refusal:
        flash(str(refusal.message), "wrong")
        return redirect(url_for("verification.certificate", public_id=public_id))
    flash(_("已通过，买家现在能看到这份证书。"), "done")
    return redirect(url_for("verification.certificates"))


@blueprint.post("/certificates/<public_id>/return")
@allow(Role.STAFF)
def return_certificate(public_id: str) -> ResponseReturnValue:
    """Return one paper with a reason."""
    paper, form = staff.certificate(public_id), ReturnForm()
    if form.validate_on_submit() and attempt(
        form, lambda: actions.return_certificate(paper.id, my_account(), form.reason.data)
    ):
        flash(_("已退回，原因会显示给对方。"), "done")
        return redirect(url_for("verification.certificates"))
    return _paper(public_id, form)


@blueprint.get("/<public_id>")
@allow(Role.STAFF)
def show(public_id: str) -> ResponseReturnValue:
    """One seller with its papers."""
    return _page(public_id, ReturnForm())


def _page(
    public_id: str,
    form: ReturnForm,
    why: RevealForm | None = None,
    revealed: tuple[str, str] | None = None,
) -> ResponseReturnValue:
    return form_page(
        "sellers/dossier.html",
        form,
        why=why or RevealForm(),
        revealed=revealed,
        mask=mask,
        dossier=staff.dossier(public_id),
        today=clock.today(),
        states=SellerState,
    )


@blueprint.post("/<public_id>/phone")
@allow(Role.STAFF)
def phone(public_id: str) -> ResponseReturnValue:
    """Show the seller's phone and bank account once, for a reason that is remembered."""
    seller, why, shown = staff.dossier(public_id).seller, RevealForm(), [("", "")]
    if why.validate_on_submit() and attempt(
        why, lambda: shown.append(actions.reveal_contact(seller.id, my_account(), why.reason.data))
    ):
        return _page(public_id, ReturnForm(formdata=None), revealed=shown[-1])
    page = make_response(_page(public_id, ReturnForm(formdata=None), why))
    page.status_code = 422
    return page


def _moment(name: str) -> datetime:
    """Return the moment of which a page told; without one that of a page that is long outdated."""
    try:
        return datetime.fromisoformat(request.form.get(name, ""))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


@blueprint.post("/<public_id>/verify")
@allow(Role.STAFF)
def verify(public_id: str) -> ResponseReturnValue:
    """Let the seller sell."""
    seller = staff.dossier(public_id).seller
    try:
        actions.verify(seller.id, my_account(), _moment("submitted_at"))
    except Conflict as refusal:
        flash(str(refusal.message), "wrong")
        return redirect(url_for("verification.show", public_id=public_id))
    flash(_("已认证，对方现在可以上架。"), "done")
    return redirect(url_for("verification.index"))


@blueprint.post("/<public_id>/bank")
@allow(Role.STAFF, factor=True)
def confirm_bank(public_id: str) -> ResponseReturnValue:
    """Let the seller be paid to its bank account."""
    seller = staff.dossier(public_id).seller
    try:
        actions.confirm_bank(seller.id, my_account(), _moment("changed_at"))
    except (Conflict, SecondPersonNeeded) as refusal:
        flash(str(refusal.message), "wrong")
    else:
        flash(_("核对过了，可以往这个账号打款。"), "done")
    return redirect(url_for("verification.show", public_id=public_id))


@blueprint.post("/<public_id>/return")
@allow(Role.STAFF)
def send_back(public_id: str) -> ResponseReturnValue:
    """Return the papers with a reason."""
    seller, form = staff.dossier(public_id).seller, ReturnForm()
    if form.validate_on_submit() and attempt(
        form, lambda: actions.return_to_seller(seller.id, my_account(), form.reason.data)
    ):
        flash(_("已退回，原因会显示给对方。"), "done")
        return redirect(url_for("verification.index"))
    return _page(public_id, form)
