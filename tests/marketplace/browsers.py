"""Browsers and programs that sign in."""

from __future__ import annotations

from flask import Flask

from kernel.db import db
from tests import builders
from tests.visitors import Visitor

JSON = "/api/v1/tokens"


def other(shop: Flask) -> Visitor:
    """Another browser."""
    return Visitor(shop, shop.response_class)


def stolen(shop: Flask, of: Visitor) -> Visitor:
    """A browser with a copy of the cookie that `of` has now."""
    thief = other(shop)
    cookie = of.get_cookie("session")
    assert cookie is not None
    thief.set_cookie("session", cookie.value)
    return thief


def is_in(browser: Visitor) -> bool:
    """Whether somebody is signed in there."""
    db.session.rollback()
    return browser.get("/me").status_code == 200


def pair(login: str, **more: str) -> dict[str, str]:
    return {"login": login, "password": builders.PASSWORD, **more}


def key_of(browser: Visitor) -> str:
    with browser.session_transaction() as session:
        return str(session["_user_id"])
