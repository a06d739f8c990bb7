"""Addresses that people pass on, as pages and programs give them out."""

from __future__ import annotations

from flask import current_app, url_for

from orders.model import GroupOrder


def join_url(group: GroupOrder) -> str:
    """Return the whole address under which a coordinator's colleagues join a group order."""
    public_url: str = current_app.extensions["settings"].public_url
    return public_url + url_for("groups.join_page", code=group.join_code)
