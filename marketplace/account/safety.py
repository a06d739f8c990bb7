"""My account's safety: sessions, tokens, password, second factor."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from kernel import factor, web_sessions
from kernel.access import READS, allow, viewer
from kernel.errors import Conflict, FactorNeeded, Invalid, Refusal, TooMany
from kernel.identity import Role, change_password, prove
from kernel.tokens import revoke_token, tokens_of
from marketplace import sessions
from marketplace.account import step_up
from marketplace.account.carrying import carried, kept_whole
from marketplace.account.forms import PasswordForm
from marketplace.account.words import agent_words

blueprint = Blueprint("safety", __name__, url_prefix="/me/security")


@blueprint.get("")
@allow(Role.CONSUMER)
def show() -> ResponseReturnValue:
    """What protects my account, and where it is signed in."""
    account = current_user.account
    return render_template(
        "account/safety.html",
        account=account,
        enrolled=factor.is_enrolled(account.id),
        codes_left=factor.recovery_codes_left(account.id),
        sessions=web_sessions.sessions_of(account),
        tokens=tokens_of(account.id),
        this=current_user.proof.public_id,
        agent_words=agent_words,
    )


@blueprint.route("/password", methods=["GET", "POST"])
@allow(Role.CONSUMER)
def password() -> ResponseReturnValue:
    """Change the password: every other session and every token ends, this one is renewed."""
    form = PasswordForm()
    if not form.validate_on_submit():
        page = render_template("account/password.html", form=form, refusal=None)
        return page, 422 if form.errors else 200
    account = current_user.account
    try:
        proven = prove(account, str(form.present.data))
        change_password(account, str(form.password.data), proven)
    except (Invalid, TooMany) as refusal:
        page = render_template("account/password.html", form=form, refusal=refusal)
        return page, refusal.status
    sessions.sign_in(account)
    flash(_("密码换好了。别的设备和程序都已退出。"), "done")
    return redirect(url_for("safety.show"), 303)


@blueprint.post("/sessions/<public_id>/end")
@allow(Role.CONSUMER)
def end_session(public_id: str) -> ResponseReturnValue:
    """Sign out one of my browsers."""
    web_sessions.end(current_user.account_id, public_id)
    flash(_("那台设备已退出。"), "done")
    return redirect(url_for("safety.show"), 303)


@blueprint.post("/tokens/<public_id>/end")
@allow(Role.CONSUMER)
def end_token(public_id: str) -> ResponseReturnValue:
    """Revoke one of my tokens."""
    revoke_token(current_user.account_id, public_id)
    flash(_("这个令牌作废了。"), "done")
    return redirect(url_for("safety.show"), 303)


@blueprint.route("/confirm", methods=["GET", "POST"])
@allow(Role.CONSUMER)
def confirm() -> ResponseReturnValue:
    """Take the code of my second factor, then go on with what I was doing."""
    to, again = step_up.after()
    if request.method in READS:
        return step_up.page(to, again=False)
    try:
        factor.check(current_user.account, request.form.get("second_factor", ""))
    except (Conflict, Invalid, TooMany) as refusal:
        whole = kept_whole()
        return step_up.page(to, again=again, is_whole=whole, refusal=refusal)
    sessions.keep_factor(current_user)
    return step_up.go_on()


@blueprint.route("/enrol", methods=["GET", "POST"])
@allow(Role.CONSUMER)
def enrol() -> ResponseReturnValue:
    """Put a second factor on my account, or on another phone."""
    account = current_user.account
    if factor.is_enrolled(account.id) and not viewer().has_factor:
        raise FactorNeeded()
    to, again = step_up.after()
    if request.method in READS:
        return _enrol_page(factor.begin(), to, again=False)  # a link carries nothing to post
    try:
        secret = factor.opened(account.id, request.form.get("begun_factor", ""))
    except Conflict as refusal:
        return _enrol_page(factor.begin(), to, again, refusal)
    # After a mistyped code the page keeps its secret: it is in the phone by now.
    try:
        prove(account, request.form.get("present_password", ""))
        codes = factor.enrol(account, secret, request.form.get("second_factor", ""))
    except (Conflict, Invalid, TooMany) as refusal:
        return _enrol_page(secret, to, again, refusal)
    sessions.keep_factor(current_user)
    return _codes_page(codes, to, again)


def _enrol_page(
    secret: str, to: str, again: bool, refusal: Refusal | None = None
) -> ResponseReturnValue:
    fields = carried() if again else []
    words = {
        "after": to,
        "again": 1 if again else None,
        "carried": fields,
        "is_whole": kept_whole(),
        "refusal": refusal,
    }
    page = step_up.enrol_page(secret, words)
    return page, refusal.status if refusal else 200


def _codes_page(codes: list[str], to: str, again: bool) -> str:
    fields = carried() if again else []
    return render_template(
        "account/recovery.html", codes=codes, after=to, again=again, carried=fields
    )


@blueprint.post("/recovery")
@allow(Role.CONSUMER)
def recovery() -> ResponseReturnValue:
    """Print a new paper list; the old one is over."""
    account = current_user.account
    if not factor.is_enrolled(account.id):
        raise Conflict(code="factor_not_enrolled")
    if not viewer().has_factor:
        raise FactorNeeded()
    return _codes_page(factor.renew_recovery_codes(account), url_for("safety.show"), False)
