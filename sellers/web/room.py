"""The seller's blueprint, and what its pages have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from kernel.db import public_code
from kernel.errors import Conflict, Invalid
from sellers import words
from sellers.forms.inputs import complain

blueprint = Blueprint("sellers", __name__, url_prefix="/seller", template_folder="../templates")


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"seller_words": words}


def attempt(form: FlaskForm, work: Callable[[], Any]) -> bool:
    """Do `work`; tell whether it was done. A refusal's words go to the form's inputs."""
    try:
        work()
    except (Invalid, Conflict) as refusal:
        complain(form, refusal)
        return False
    return True


def form_page(template: str, form: FlaskForm, **values: Any) -> ResponseReturnValue:
    """Show a form, fresh or with its errors; the key of one try stays with it."""
    key = request.form.get("idempotency_key") or public_code(20)
    page = render_template(template, form=form, key=key, **values)
    return page, 422 if form.errors else 200


def cursor() -> str | None:
    """Return where in a list this page begins."""
    return request.args.get("cursor") or None
