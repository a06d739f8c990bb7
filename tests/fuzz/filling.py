"""Everybody opens every page they may open and sends its forms, filled in well and badly."""

from __future__ import annotations

import re
from contextvars import Context
from urllib.parse import urlsplit

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import select
from werkzeug.test import TestResponse

from kernel.access import rule_of
from kernel.db import db
from kernel.identity import Account, Role
from kernel.tokens import issue_token
from sellers.model import Offer
from tests.fuzz.forms import Form, Sent, as_body, fillings, forms_of
from tests.town.addresses import NAMES, names, paths_of
from tests.town.people import People
from tests.town.visits import reads

OPENED = 2
"""So many items of a list are opened, of which only one stands open at a time."""
EVERYBODY = (Role.VISITOR, Role.CONSUMER)
"""Who opens what is open to everybody."""
SAYS = ('aria-invalid="true"', 'role="alert"', 'class="refusal"', "says-wrong", "says-wait")
"""What shows that a page says what is wrong: at the field, above the form, or as the page."""


def collect(app: Flask, people: People) -> dict[tuple[str, Role], Form]:
    """One form for each endpoint and each role that is shown one."""
    found: dict[tuple[str, Role], Form] = {}
    for rule in reads(app):
        if rule.rule.startswith(("/api/", "/parts", "/static")):
            continue
        may = rule_of(rule.endpoint) or frozenset()
        for path in paths_of(app, people, rule):
            for role in EVERYBODY if Role.VISITOR in may else may - {Role.VISITOR, Role.DEVICE}:
                for form in shown(app, people.holding(role), path):
                    found.setdefault((endpoint_of(app, form), role), form)
    return found


def shown(app: Flask, account: Account | None, path: str) -> list[Form]:
    """The forms of a page, and of the page as it opens another item of its list."""
    page = call(app, account, "GET", path)
    if page.mimetype != "text/html":
        return []
    forms = forms_of(path, page.text)
    own = re.escape(urlsplit(path).path)
    for link in re.findall(rf'href="({own}\?item=[^"#]*)', page.text)[:OPENED]:
        forms += forms_of(link, call(app, account, "GET", link).text)
    return forms


def endpoint_of(app: Flask, form: Form) -> str:
    """The endpoint to which a form goes."""
    path = urlsplit(form.action).path
    return str(app.url_map.bind("localhost").match(path, method="POST")[0])


def call(
    app: Flask, account: Account | None, method: str, path: str, sent: Sent | None = None
) -> TestResponse:
    """Open an address or send a form, as somebody whose second factor was shown just now."""
    headers = {}
    if account is not None:
        fresh = db.session.get_one(Account, account.id)
        headers = {"Authorization": f"Bearer {issue_token(fresh, factor=True)}"}
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = {db.session.scalars(select(Offer.public_id)).first(): 1}
    if account is None and sent is not None:
        shown = Context().run(client.get, path).text
        tokens = [one for form in forms_of(path, shown) for one in form.fields]
        sent["csrf_token"] = [one.value for one in tokens if one.name == "csrf_token"][:1]
    db.session.rollback()
    data = as_body(sent) if sent is not None else None
    kind = "multipart/form-data" if sent is not None else None
    return Context().run(
        client.open,
        path,
        method=method,
        headers=headers,
        data=data,
        content_type=kind,
        buffered=True,
    )


def fault(answer: TestResponse) -> str | None:
    """What is wrong with an answer to a form; None for a good one."""
    if answer.status_code >= 500:
        return f"answered {answer.status_code}"
    if answer.status_code in (302, 303):
        return None
    if answer.status_code == 200 or answer.mimetype != "text/html":
        return None
    if not any(sign in answer.text for sign in SAYS):
        return f"answered {answer.status_code} with a page that says nothing"
    return None


def fill(
    app: Flask, people: People, forms: dict[tuple[str, Role], Form], examples: int
) -> list[str]:
    """Send every form `examples` times; return what went wrong, once for each endpoint."""
    ids = [str(names(people, key)[-1]) for key in NAMES if key not in ("proposals", "field")]
    wrong: dict[tuple[str, str], str] = {}
    for (endpoint, role), form in forms.items():
        for sent in samples(form, ids, examples):
            said = fault(call(app, people.holding(role), "POST", form.action, sent))
            if said:
                wrong.setdefault(
                    (endpoint, said), f"{endpoint}: {said} to {form.action} {str(sent)[:600]}"
                )
    return list(wrong.values())


def samples(form: Form, ids: list[str], examples: int) -> list[Sent]:
    """So many fillings of a form, the same each time."""
    made: list[Sent] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fillings(form, ids))
    def keep(sent: Sent) -> None:
        made.append(sent)

    keep()
    return made
