"""Sign-in, registration, language and my page."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kernel.access import allow, viewer
from kernel.errors import Invalid, SignInNeeded, TooMany
from kernel.identity import (
    Role,
    authenticate,
    register_account,
    sign_out_everywhere,
)
from marketplace import sessions
from marketplace.account import carrying
from marketplace.account.forms import RegisterForm, SignInForm
from marketplace.account.paths import same_site
from marketplace.locale import COOKIE, LANGUAGES
from orders.queries.members import waited_for
from orders.queries.mine import orders_of

blueprint = Blueprint("account", __name__, template_folder="templates")

ORDERS_SHOWN = 5


@blueprint.route("/sign-in", methods=["GET", "POST"])
@allow.everyone
def sign_in() -> ResponseReturnValue:
    """The sign-in page; a wrong pair is said on it, and too many tries too."""
    form, kept = SignInForm(next=request.args.get("next", "")), carrying.kept()
    carries = {"kept": kept, "is_whole": carrying.kept_whole()}
    after = same_site(form.next.data, url_for("account.me"))
    if request.method == "GET" and viewer().account_id is not None:
        return redirect(after)
    if kept and "login" not in request.form:
        form = SignInForm(formdata=None, next=after)
        return render_template("account/sign_in.html", form=form, wrong=None, **carries)
    if not form.validate_on_submit():
        return render_template("account/sign_in.html", form=form, wrong=None, **carries)
    try:
        proven = authenticate(
            *form.pair(), request.remote_addr or "", sessions.known_device(form.pair()[0])
        )
        sessions.sign_in(proven.account, proven.epoch)
    except (Invalid, TooMany) as refusal:
        page = render_template("account/sign_in.html", form=form, wrong=refusal.message, **carries)
        return page, refusal.status
    if kept:
        return render_template("account/again.html", to=after, **carries)
    return redirect(after)


@blueprint.post("/sign-out")
@allow.everyone
def sign_out() -> ResponseReturnValue:
    """End this browser's session."""
    sessions.sign_out()
    return redirect(url_for("storefront.home"))


@blueprint.route("/register", methods=["GET", "POST"])
@allow.everyone
def register() -> ResponseReturnValue:
    """Make a consumer's account and sign it in."""
    form, kept = RegisterForm(next=request.args.get("next", "")), carrying.kept()
    carries = {"kept": kept, "is_whole": carrying.kept_whole()}
    after = same_site(form.next.data, url_for("storefront.home"))
    if kept and "login" not in request.form:
        form = RegisterForm(formdata=None, next=after)
        return render_template("account/register.html", form=form, **carries)
    if not form.validate_on_submit():
        status = 422 if form.errors else 200
        return render_template("account/register.html", form=form, **carries), status
    try:
        account = register_account(*form.pair(), str(form.name.data).strip())
    except Invalid as refusal:
        for name, text in refusal.fields.items():
            form[name].errors = [*form[name].errors, text]
        return render_template("account/register.html", form=form, **carries), refusal.status
    sessions.sign_in(account)
    if kept:
        return render_template("account/again.html", to=after, **carries)
    return redirect(after)


@blueprint.post("/language")
@allow.everyone
def language() -> ResponseReturnValue:
    """Remember the language that was chosen, and stay on the page with what it carries."""
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        raise Invalid(code="unknown_language")
    session[COOKIE] = chosen
    session.permanent = True
    if carrying.kept():
        page = "register" if request.form.get("page") == "register" else "sign_in"
        return redirect(url_for(f"account.{page}"), 307)
    return redirect(same_site(request.form.get("next"), url_for("storefront.home")))


@blueprint.get("/me")
@allow.everyone
def me() -> ResponseReturnValue:
    """My latest orders and the workspaces of my roles; a visitor is asked to sign in first."""
    if viewer().account_id is None:
        raise SignInNeeded()
    mine = orders_of(viewer(), cursor=None, page_size=ORDERS_SHOWN)
    return render_template(
        "account/me.html",
        account=current_user.account,
        orders=mine.items,
        waited_for=waited_for(current_user.account_id),
    )


@blueprint.post("/me/sign-out-everywhere")
@allow(Role.CONSUMER)
def sign_out_all() -> ResponseReturnValue:
    """End every session and token of this account, this one included."""
    sign_out_everywhere(current_user.account)
    sessions.sign_out()
    return redirect(url_for("account.sign_in"))
