"""Lists with Stripe's paging, and `expand`."""

import json
from collections.abc import Iterable
from typing import Any

from orders.payments.sandbox.errors import ApiError, invalid_param, no_such
from orders.payments.sandbox.objects import page
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Body, Store

PAGE_DEFAULT = 10
PAGE_MOST = 100
EXPAND_DEPTH = 4
_COMPARED = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

# What an object names by id and may show whole. Some are always null here.
_LINKS = {
    "checkout.session": {"customer", "payment_intent"},
    "payment_intent": {"customer", "latest_charge", "payment_method"},
    "charge": {"balance_transaction", "customer", "payment_intent"},
    "refund": {
        "balance_transaction",
        "charge",
        "failure_balance_transaction",
        "payment_intent",
        "payment_method",
    },
    "balance_transaction": {"source"},
    "dispute": {"charge", "payment_intent"},
    "transfer": {"balance_transaction", "destination", "source_transaction"},
    "transfer_reversal": {"balance_transaction", "transfer"},
}


def select(sandbox: Sandbox, kind: str, values: Body, filters: Iterable[str], url: str) -> Body:
    """Give one page of objects of a kind, newest first, as a list object.

    `filters` names the parameters that must equal the field of that name.
    """
    where = [(name, "=", values[name]) for name in filters if name in values]
    where += _created(values.get("created"))
    if "types" in values:
        where.append(("type", "IN (SELECT value FROM json_each(?))", json.dumps(values["types"])))
    if "delivery_success" in values:
        where.append(("pending_webhooks", "=" if values["delivery_success"] else ">", 0))
    limit = page_size(values)
    after = _cursor(sandbox.store, kind, values, "starting_after")
    before = _cursor(sandbox.store, kind, values, "ending_before")
    # One more than asked tells whether there are more.
    records = sandbox.store.select(kind, where, after=after, before=before, limit=limit + 1)
    more = len(records) > limit
    if more:
        records = records[1:] if before is not None else records[:limit]
    return page(url, [record.body for record in records], has_more=more)


def page_size(values: Body) -> int:
    """Give how many objects a page holds. Raises ApiError above Stripe's limit."""
    limit: int = values.get("limit", PAGE_DEFAULT)
    if limit > PAGE_MOST:
        raise invalid_param("limit", f"Invalid limit: must be at most {PAGE_MOST}.")
    return limit


def _cursor(store: Store, kind: str, values: Body, name: str) -> int | None:
    if name not in values:
        return None
    record = store.find(kind, values[name])
    if record is None:
        raise no_such(kind, values[name], param=name, status=400)
    return record.seq


def _created(asked: Any) -> list[tuple[str, str, Any]]:
    if asked is None:
        return []
    bounds = {"": asked} if isinstance(asked, str) else asked
    where: list[tuple[str, str, Any]] = []
    for name, moment in bounds.items():
        operator = "=" if name == "" else _COMPARED.get(name)
        if operator is None or not isinstance(moment, str) or not moment.isdecimal():
            raise invalid_param("created", "Invalid created: must be a timestamp or gt/gte/lt/lte.")
        where.append(("created", operator, int(moment)))
    return where


def slice_items(items: list[Body], values: Body, url: str) -> Body:
    """Give one page of a session's line items, in their order."""
    limit = page_size(values)
    ids = [item["id"] for item in items]
    start, end = 0, len(items)
    if "starting_after" in values:
        start = _place(ids, values["starting_after"], "starting_after") + 1
    if "ending_before" in values:
        end = _place(ids, values["ending_before"], "ending_before")
        start = max(start, end - limit)
    shown = items[start:end][:limit]
    more = start > 0 if "ending_before" in values else start + limit < end
    return page(url, shown, has_more=more)


def _place(ids: list[str], item_id: str, param: str) -> int:
    if item_id not in ids:
        raise no_such("item", item_id, param=param, status=400)
    return ids.index(item_id)


def expand(sandbox: Sandbox, body: Body, paths: list[str]) -> Body:
    """Show whole what the paths name. Raises ApiError for what cannot be expanded."""
    for path in paths:
        if path.count(".") >= EXPAND_DEPTH:
            raise invalid_param("expand", f"You cannot expand more than {EXPAND_DEPTH} levels.")
        _expand(sandbox, body, path, path)
    return body


def _expand(sandbox: Sandbox, body: Body, path: str, whole: str) -> None:
    head, _, rest = path.partition(".")
    kind = body.get("object", "")
    if kind == "list":
        if head != "data" or not rest:
            raise _not_expandable(whole)
        for item in body["data"]:
            _expand(sandbox, item, rest, whole)
        return
    if kind == "checkout.session" and head == "line_items":
        items = sandbox.store.get(body["id"]).inner["line_items"]
        body[head] = slice_items(items, {}, f"/v1/checkout/sessions/{body['id']}/line_items")
    elif kind == "charge" and head == "refunds":
        url = f"/v1/charges/{body['id']}/refunds"
        body[head] = select(sandbox, "refund", {"charge": body["id"]}, ["charge"], url)
    elif head not in _LINKS.get(kind, ()):
        raise _not_expandable(whole)
    elif isinstance(body[head], str):
        body[head] = sandbox.store.get(body[head]).body
    if rest and isinstance(body.get(head), dict):
        _expand(sandbox, body[head], rest, whole)


def _not_expandable(path: str) -> ApiError:
    return invalid_param("expand", f"This property cannot be expanded ({path}).")
