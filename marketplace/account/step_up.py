"""Asking for the second factor in the middle of something, and going on with it afterwards.

What was being posted is carried along in the page, field by field, and posted again to where
it was meant for: nothing typed is lost, and nothing is kept on the server.
"""

from __future__ import annotations

from collections.abc import Mapping

import segno
from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kernel import factor
from kernel.access import READS
from kernel.errors import Refusal
from kernel.settings import Environment, Settings
from marketplace.account.carrying import carried, is_whole, posted_to
from marketplace.account.paths import same_site


def ask() -> ResponseReturnValue:
    """Answer a request that needs a second factor by asking for it."""
    again = request.method not in READS
    after = posted_to() if request.method in (*READS, "POST") else "/me"
    return page(after, again=again, is_whole=is_whole(), status=403)


def after() -> tuple[str, bool]:
    """Return where to go on from here, and whether by posting what was carried along."""
    return (
        same_site(request.args.get("next"), url_for("safety.show")),
        request.args.get("again") == "1",
    )


def page(
    to: str,
    *,
    again: bool,
    is_whole: bool = True,
    status: int = 200,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    """Show where the code is entered; whoever has no second factor yet sets one up there.

    `is_whole` tells whether all that was being posted is carried along.
    """
    account = current_user.account
    words = {
        "after": to,
        "again": 1 if again else None,
        "carried": carried() if again else [],
        "is_whole": is_whole,
        "refusal": refusal,
    }
    if factor.is_enrolled(account.id):
        shown = render_template("account/factor.html", demo_code=_demo_code(account.id), **words)
        return shown, refusal.status if refusal else status
    return enrol_page(factor.begin(), words), refusal.status if refusal else status


def enrol_page(secret: str, words: Mapping[str, object]) -> str:
    """Return the page with the QR code and the secret in text, which alone carries the secret."""
    account = current_user.account
    address = factor.address(secret, account.login)
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#18261e")
    in_fours = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    begun = factor.sealed(account.id, secret)
    return render_template(
        "account/enrol.html", picture=picture, secret=in_fours, begun=begun, **words
    )


def _demo_code(account_id: int) -> str | None:
    """Return the code itself where it protects nothing: the demo's secret, in development."""
    settings: Settings = current_app.extensions["settings"]
    if settings.environment is not Environment.DEVELOPMENT or not factor.is_demo(account_id):
        return None
    return factor.code_now(factor.DEMO_SECRET)


def go_on() -> ResponseReturnValue:
    """Go to where the person was; 307 lets the browser post the same fields there."""
    to, again = after()
    return redirect(to, 307 if again else 303)
