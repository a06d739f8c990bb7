"""The hosted page: a person picks a method, then succeeds, fails or walks away. No JavaScript."""

import re
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

from orders.payments.sandbox import checkout
from orders.payments.sandbox.calls import the_sandbox
from orders.payments.sandbox.outcomes import CARDS
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Record
from orders.payments.sandbox.sweep import sweep
from orders.payments.sandbox.text import TEXTS, language_of

hosted = Blueprint("hosted", __name__)

_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


@hosted.get("/c/pay/<session_id>")
def show(session_id: str) -> Response:
    """Show what is to be paid and the ways to pay it, or how the session ended."""
    sandbox = the_sandbox()
    with sandbox.transaction():
        session = _session(sandbox, session_id)
        return _payment_page(sandbox, session)


@hosted.post("/c/pay/<session_id>")
def choose(session_id: str) -> Response:
    """Pay by a test card, or go on to a wallet's own page."""
    sandbox = the_sandbox()
    method = request.form.get("method", "")
    card = CARDS.get(request.form.get("card", ""))
    with sandbox.transaction():
        session = _session(sandbox, session_id)
        if session.body["status"] != "open":
            return _payment_page(sandbox, session)
        offered = method in session.body["payment_method_types"]
        if not offered or (method == "card" and card is None):
            return _payment_page(sandbox, session, problem="choose", status=400)
        if method != "card" or card is None:
            checkout.begin_wallet(sandbox, session, method)
            return _see(url_for(".authorise", session_id=session_id))
        if checkout.pay_by_card(sandbox, session, card):
            return _see(_success_url(session))
    return _see(url_for(".show", session_id=session_id))


@hosted.get("/c/pay/<session_id>/authorise")
def authorise(session_id: str) -> Response:
    """Show the wallet's page, which asks whether to pay."""
    sandbox = the_sandbox()
    with sandbox.transaction():
        session = _session(sandbox, session_id)
        wallet = checkout.awaiting_wallet(sandbox, session)
        if wallet is None:
            return _see(url_for(".show", session_id=session_id))
        return _page("sandbox/authorise.html", session, wallet=wallet)


@hosted.post("/c/pay/<session_id>/authorise")
def answer(session_id: str) -> Response:
    """Take the person's answer on the wallet's page."""
    sandbox = the_sandbox()
    with sandbox.transaction():
        session = _session(sandbox, session_id)
        wallet = checkout.awaiting_wallet(sandbox, session)
        if wallet is not None:
            authorised = request.form.get("answer") == "authorise"
            checkout.answer_wallet(sandbox, session, authorised=authorised)
            if authorised:
                return _see(_success_url(sandbox.store.get(session_id)))
    return _see(url_for(".show", session_id=session_id))


def refusal_page(status: int) -> Response:
    """Say on a page that there is nothing here, or that something went wrong."""
    language = language_of(None, request.accept_languages)
    what = "gone" if status == 404 else "broken"
    html = render_template("sandbox/refusal.html", t=TEXTS[language], language=language, what=what)
    return _guarded(make_response(html, status), [])


def _session(sandbox: Sandbox, session_id: str) -> Record:
    sweep(sandbox)
    session = sandbox.store.find("checkout.session", session_id)
    if session is None:
        raise NotFound
    return session


def _payment_page(
    sandbox: Sandbox, session: Record, *, problem: str | None = None, status: int = 200
) -> Response:
    if session.body["status"] != "open":
        return _page("sandbox/ended.html", session, back=_back_url(session))
    error = checkout.last_error(sandbox, session)
    if problem is None and error is not None:
        problem = error.get("decline_code") or error["code"]
    return _page(
        "sandbox/pay.html",
        session,
        status=status,
        items=session.inner["line_items"],
        cards=CARDS.values(),
        problem=problem,
        back=session.body["cancel_url"],
    )


def _page(template: str, session: Record, *, status: int = 200, **values: Any) -> Response:
    language = language_of(session.body["locale"], request.accept_languages)
    html = render_template(
        template, t=TEXTS[language], language=language, session=session.body, **values
    )
    urls = [session.body["success_url"], session.body["cancel_url"]]
    return _guarded(make_response(html, status), [url for url in urls if url])


def _guarded(response: Response, urls: list[str]) -> Response:
    # A form's answer redirects to the shop, and browsers hold that against form-action too.
    targets = " ".join(["'self'", *filter(None, map(_origin, urls))])
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _origin(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if re.fullmatch(r"[\w.:\[\]-]+", host, re.ASCII) else None


def _see(url: str) -> Response:
    response = make_response(redirect(url, 303))
    response.headers["Cache-Control"] = "no-store"
    return response


def _success_url(session: Record) -> str:
    url = str(session.body["success_url"])
    return url.replace(_PLACEHOLDER, session.id).replace(quote(_PLACEHOLDER), session.id)


def _back_url(session: Record) -> str | None:
    if session.body["status"] == "complete":
        return _success_url(session)
    back: str | None = session.body["cancel_url"]
    return back


@hosted.app_template_filter("yuan")
def yuan(amount_fen: int) -> str:
    """Show an amount in fen as yuan."""
    whole, fen = divmod(amount_fen, 100)
    return f"¥{whole:,}.{fen:02d}"
