"""What Flask costs without us: the same server, plain SQL through a pool, and jsonify.

`/two` makes two queries. `/offers` makes one that is as narrow as it can be, and returns the
very JSON of `GET /api/v1/offers` (the bench compares them).
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from flask import Flask, Response, jsonify, request
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

_ACCOUNT = """
    SELECT a.id, a.name_zh FROM account a JOIN api_token t ON t.account_id = a.id
    WHERE t.token_hash = %s AND t.expires_at > now()
"""
_ONE = "SELECT public_id, price_fen, quota, sold FROM offer WHERE public_id = %s"
_PAGE = """
    SELECT o.public_id AS id, p.name_zh, p.name_en, p.category, l.mode, p.variety, p.grade,
        o.price_fen, p.unit_name AS unit, p.unit_g,
        least(l.offered - l.promised, o.quota - o.sold) AS left, o.limit_per_buyer, o.closes_at,
        l.harvest_from, l.harvest_to, s.city, s.county, s.township || s.village AS village,
        org.public_id AS seller_id, org.name_zh AS seller_name_zh, org.name_en AS seller_name_en
    FROM offer o
    JOIN lot l ON l.id = o.lot_id
    JOIN product p ON p.id = o.product_id
    JOIN seller s ON s.id = o.seller_id
    JOIN organisation org ON org.id = o.seller_id
    WHERE o.place = 'shop' AND o.withdrawn_at IS NULL AND o.opens_at <= now()
        AND (o.closes_at IS NULL OR o.closes_at > now()) AND s.state = 'verified'
    ORDER BY o.id DESC LIMIT 25
"""
PAGE_SIZE = 24

app = Flask(__name__)
pool: ConnectionPool[Any] = ConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=8,
    max_size=8,
    kwargs={"autocommit": True, "row_factory": dict_row},
    open=False,
)


@app.before_request
def _open() -> None:
    pool.open()  # in the worker, not in the process that forks it


@app.get("/two")
def two() -> Response:
    """Who asks, and one offer."""
    token = request.headers["Authorization"].removeprefix("Bearer ")
    hashed = hashlib.sha256(token.encode()).hexdigest()
    with pool.connection() as connection:
        account = connection.execute(_ACCOUNT, [hashed]).fetchone()
        offer = connection.execute(_ONE, [request.args["offer"]]).fetchone()
    return jsonify(account=account, offer=offer)


@app.get("/offers")
def offers() -> Response:
    """The first page of the shop."""
    with pool.connection() as connection:
        rows = connection.execute(_PAGE).fetchall()
    items = [_item(row) for row in rows[:PAGE_SIZE]]
    return jsonify(items=items, next_cursor=items[-1]["id"] if len(rows) > PAGE_SIZE else None)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    places = (row.pop("city"), row.pop("county"), row.pop("village"))
    row["origin"] = list(dict.fromkeys(place for place in places if place))
    row["seller"] = {
        "id": row.pop("seller_id"),
        "name_zh": row.pop("seller_name_zh"),
        "name_en": row.pop("seller_name_en"),
    }
    for name in ("closes_at", "harvest_from", "harvest_to"):
        row[name] = row[name].isoformat() if row[name] else None
    return row
