"""For every write that reads a body: one that would be right for the side whose thing it names.

With a right body nothing but the rule stands between somebody else and the change.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kernel import clock
from tests.access.sides import SIGNATURE, Side, picture
from tests.builders import PASSWORD

Body = dict[str, Any]

ADDRESS = {"name": "某人", "phone": "13800000000", "city": "韶关市", "address": "某路 1 号"}
PRODUCT = {"name_zh": "春橙", "category": "fruit", "unit_name": "箱", "unit_g": 5000}
SELLER = {
    "kind": "cooperative",
    "name_zh": "某村合作社",
    "province": "重庆市",
    "city": "重庆市",
    "county": "渝北区",
}
HOUSEHOLD = {"number": "901", "status": "ordinary", "name": "某户主"}
PLAN = {"kind": "wage", "basis_points": 100}
TERMS = {"price_fen": 4900}
PAGE_TERMS = {"price_fen": "49.00"}
LINE = {"slot": 1, "units": 1}
COUNT = {"slot": 1, "expected": 4, "counted": 3, "reason": "missing"}
PAYOUT = {"reference": "BANK-2", "reason": "签收单齐了"}


def uploaded(side: Side, name: str = "file") -> Body:
    """A small picture as a file of a form."""
    return {name: (io.BytesIO(picture(side.name)), "picture.png")}


def planned() -> Body:
    """A round in JSON."""
    at, day = clock.now(), clock.today()
    return {
        "title_zh": "下一期",
        "opens_at": at.isoformat(),
        "closes_at": (at + timedelta(days=2)).isoformat(),
        "harvest_from": str(day + timedelta(days=3)),
        "harvest_to": str(day + timedelta(days=4)),
        "handover_on": str(day + timedelta(days=5)),
    }


def planned_page() -> Body:
    """The same as the page's form has it."""
    at, day = clock.local(clock.now()), clock.today()
    return {
        **planned(),
        "opens_at": f"{at:%Y-%m-%dT%H:%M}",
        "closes_at": f"{at + timedelta(days=2):%Y-%m-%dT%H:%M}",
        "harvest_from": str(day + timedelta(days=3)),
        "pay_within_h": "48",
    }


def broadcast() -> Body:
    """A broadcast in JSON."""
    at = clock.now()
    return {
        "title_zh": "直播",
        "planned_from": at.isoformat(),
        "planned_to": (at + timedelta(hours=1)).isoformat(),
    }


def order(side: Side) -> Body:
    """An order of one unit."""
    lines = [{"offer_id": side.things["offer"], "quantity": 1}]
    return {"lines": lines, "recipient": ADDRESS, "payment": "stripe"}


def needs(side: Side) -> Body:
    """One unit of the round's offer."""
    return {"needs": [{"offer_id": side.things["round.offer"], "quantity": 1}]}


def yielded(side: Side) -> Body:
    """What one household harvested."""
    return {"quantity": 4, "household_id": side.things["household"]}


BODIES: dict[str, Callable[[Side], Body]] = {
    # accounts
    "POST /api/v1/tokens": lambda side: {"login": f"open-{side.name}", "password": PASSWORD},
    "POST /sign-in": lambda side: {"login": f"open-{side.name}", "password": PASSWORD},
    "POST /language": lambda _side: {"language": "en"},
    "POST /register": lambda side: {
        "login": f"new-{side.name}",
        "password": PASSWORD,
        "name": "某",
    },
    # buying
    "POST /api/v1/orders": order,
    "POST /cart/lines": lambda side: {"offer": side.things["offer"], "quantity": "1"},
    "POST /cart/lines/<offer>": lambda _side: {"quantity": "1"},
    "POST /checkout": lambda side: {
        **ADDRESS,
        "lines-0": f"{side.things['offer']}:1",
        "total_fen": "5900",
        "payment": "stripe",
    },
    "POST /api/v1/payments/<public_id>/proof": uploaded,
    "POST /pay/<public_id>/transfer": uploaded,
    "POST /api/v1/payments/<public_id>/confirm": lambda _side: {"received_fen": 5900},
    "POST /staff/transfers/<public_id>": lambda _side: {"received": "59.00", "seen": "yes"},
    "POST /api/v1/payments/<public_id>/again": lambda _side: {
        "received_fen": 5900,
        "reference": "BANK-8",
    },
    "POST /staff/transfers/<public_id>/again": lambda _side: {
        "received": "59.00",
        "reference": "BANK-8",
    },
    "POST /api/v1/refunds/<public_id>/repay": lambda _side: {"reference": "BANK-7"},
    "POST /api/v1/refunds/<public_id>/taken-back": lambda _side: {"reference": "BANK-9"},
    "POST /staff/refunds/<public_id>": lambda _side: {"reference": "BANK-7"},
    "POST /staff/refunds/<public_id>/taken-back": lambda _side: {"reference": "BANK-9"},
    # group orders
    "POST /api/v1/rounds/<round_id>/group-orders": lambda _side: {"pay_mode": "members"},
    "POST /unit/open": lambda side: {"round": side.things["later round"], "pay_mode": "members"},
    "PUT /api/v1/group-orders/<group_id>/needs": needs,
    "POST /needs/<public_id>": lambda side: {f"n-{side.things['round.offer']}": "1"},
    "POST /api/v1/join/<code>": lambda _side: {"staff_number": "0099", "department": "办公室"},
    "POST /join/<code>": lambda _side: {"staff_number": "0099", "department": "办公室"},
    "POST /unit/members/<int:membership_id>": lambda _side: {"answer": "approve"},
    "PUT /api/v1/units/<unit_id>/staff-list": lambda _side: {"staff": [{"staff_number": "0042"}]},
    "POST /unit/staff-list": lambda _side: {"staff_list": "0042 办公室"},
    # harvest
    "PUT /api/v1/notice-items/<item_id>/quotas": lambda side: {
        "quotas": [{"household_id": side.things["household"], "quantity": 5}]
    },
    "POST /seller/harvest/items/<item_id>/split": lambda side: {
        f"units-{side.things['household']}": "5"
    },
    "POST /api/v1/quotas/<quota_id>/answer": lambda _side: {"accept": True},
    "POST /seller/harvest/items/<item_id>/answer/<quota_id>": lambda _side: {"answer": "accept"},
    "PUT /api/v1/notice-items/<item_id>/yields": yielded,
    "POST /seller/harvest/items/<item_id>/yield": lambda side: {
        "quantity": "4",
        "household": side.things["household"],
    },
    "POST /api/v1/notice-items/<item_id>/yields/withdraw": lambda side: {
        "household_id": side.things["household"]
    },
    "POST /seller/harvest/items/<item_id>/yield/withdraw": lambda side: {
        "household": side.things["household"]
    },
    "POST /api/v1/field/<token>/answer": lambda _side: {"accept": True},
    "POST /field/<token>/answer": lambda _side: {"answer": "accept"},
    "PUT /api/v1/field/<token>/yield": lambda _side: {"quantity": 4},
    "POST /field/<token>/yield": lambda _side: {"figure": "4"},
    # delivery and settlement
    "POST /api/v1/consignments": lambda side: {"group_order_id": side.things["closed group"]},
    "POST /seller/consignments": lambda side: {"group_order": side.things["closed group"]},
    "POST /api/v1/consignments/<consignment_id>/sending": lambda _side: {"carrier": "自己送"},
    "POST /seller/consignments/<public_id>/sent": lambda _side: {"carrier": "自己送"},
    "POST /api/v1/consignments/<consignment_id>/signature": lambda _side: {"signature": SIGNATURE},
    "POST /handover/<public_id>": lambda _side: {"signature": SIGNATURE},
    "POST /api/v1/settlements": lambda side: {"seller_id": side.things["seller"]},
    "POST /staff/settlements": lambda side: {"seller": side.things["seller"]},
    "POST /api/v1/settlements/<settlement_id>/payout": lambda _side: PAYOUT,
    "POST /staff/settlements/<public_id>/payout": lambda _side: PAYOUT,
    "POST /api/v1/settlements/<settlement_id>/payout/refusal": lambda _side: {"answer": "不对"},
    "POST /staff/settlements/<public_id>/payout/decline": lambda _side: {"answer": "不对"},
    "POST /api/v1/settlements/<settlement_id>/return": lambda _side: PAYOUT,
    "POST /staff/settlements/<public_id>/return": lambda _side: PAYOUT,
    "POST /api/v1/settlements/<settlement_id>/return/refusal": lambda _side: {"answer": "不对"},
    "POST /staff/settlements/<public_id>/return/decline": lambda _side: {"answer": "不对"},
    # planning rounds
    "POST /api/v1/staff/rounds": lambda _side: planned(),
    "POST /staff/rounds/new": lambda _side: planned_page(),
    "PUT /api/v1/staff/rounds/<round_id>": lambda _side: planned(),
    "POST /staff/rounds/<public_id>": lambda _side: planned_page(),
    "POST /api/v1/staff/rounds/<round_id>/offers": lambda side: {
        "lot_id": side.things["lot"],
        "price_fen": 900,
    },
    "POST /staff/rounds/<public_id>/offers": lambda side: {
        "lot": side.things["lot"],
        "price": "9.00",
    },
    "PUT /api/v1/staff/rounds/<round_id>/legs/<seller_id>": lambda _side: {"cutoff_at": None},
    "POST /staff/rounds/<public_id>/legs/<int:seller_id>": lambda _side: {
        "cutoff_at": f"{clock.local(clock.now()) + timedelta(days=1):%Y-%m-%dT%H:%M}"
    },
    # sellers
    "POST /api/v1/sellers": lambda _side: SELLER,
    "POST /seller/register": lambda _side: {**SELLER, "story_zh": ""},
    "PUT /api/v1/sellers/mine": lambda _side: SELLER,
    "POST /seller/profile": lambda _side: SELLER,
    "POST /api/v1/sellers/mine/certificates": lambda side: {
        "kind": "other",
        "number": "7",
        **uploaded(side),
    },
    "POST /seller/certificates": lambda side: {"kind": "other", "number": "7", **uploaded(side)},
    "POST /api/v1/sellers/mine/products": lambda _side: PRODUCT,
    "POST /seller/products/new": lambda _side: PRODUCT,
    "PUT /api/v1/sellers/mine/products/<public_id>": lambda _side: PRODUCT,
    "POST /seller/products/<public_id>": lambda _side: PRODUCT,
    "PUT /api/v1/sellers/mine/products/<public_id>/photo": lambda side: uploaded(side, "photo"),
    "POST /api/v1/sellers/mine/lots": lambda side: {
        "product_id": side.things["product"],
        "mode": "in_hand",
        "offered": 5,
    },
    "POST /seller/products/<public_id>/lots/new": lambda _side: {"mode": "in_hand", "offered": "5"},
    "PUT /api/v1/sellers/mine/lots/<public_id>": lambda _side: {"offered": 90},
    "POST /seller/lots/<public_id>": lambda _side: {"offered": "90"},
    "POST /api/v1/sellers/mine/offers": lambda side: {**TERMS, "lot_id": side.things["lot"]},
    "POST /seller/lots/<public_id>/offers/new": lambda _side: PAGE_TERMS,
    "PUT /api/v1/sellers/mine/offers/<public_id>": lambda _side: TERMS,
    "POST /seller/offers/<public_id>": lambda _side: PAGE_TERMS,
    "POST /seller/offers/new": lambda _side: {
        **PRODUCT,
        **PAGE_TERMS,
        "mode": "in_hand",
        "offered": "5",
    },
    "POST /api/v1/sellers/mine/imports": uploaded,
    "POST /seller/import": uploaded,
    "POST /api/v1/sellers/households": lambda _side: HOUSEHOLD,
    "POST /seller/households/new": lambda _side: HOUSEHOLD,
    "PUT /api/v1/sellers/households/<public_id>": lambda _side: HOUSEHOLD,
    "POST /seller/households/<public_id>/edit": lambda _side: HOUSEHOLD,
    "POST /api/v1/sellers/households/<public_id>/reveal": lambda _side: {"reason": "回访"},
    "POST /seller/households/<public_id>": lambda _side: {"reason": "回访"},
    "POST /api/v1/sellers/mine/plans": lambda _side: PLAN,
    "POST /seller/plan": lambda _side: {"kind": "wage", "percent": "1"},
    # looks at personal data
    "POST /office/orders/<number>/recipient": lambda _side: {"reason": "回访"},
    "POST /staff/sellers/<public_id>/phone": lambda _side: {"reason": "回访"},
    # papers
    "POST /api/v1/sellers/certificates/<public_id>/return": lambda _side: {"reason": "看不清"},
    "POST /staff/sellers/certificates/<public_id>/return": lambda _side: {"reason": "看不清"},
    "POST /api/v1/sellers/<public_id>/bank": lambda _side: {
        "bank_changed_at": "2026-01-01T00:00:00+00:00"
    },
    "POST /staff/sellers/<public_id>/bank": lambda _side: {
        "changed_at": "2026-01-01T00:00:00+00:00"
    },
    "POST /api/v1/sellers/<public_id>/return": lambda _side: {"reason": "看不清"},
    "POST /staff/sellers/<public_id>/return": lambda _side: {"reason": "看不清"},
    # broadcasts and links
    "POST /api/v1/broadcasts": lambda _side: broadcast(),
    "POST /host/new": lambda _side: {"title_zh": "直播", "kind": "livestream"},
    "POST /api/v1/broadcasts/<code>/pins": lambda side: {
        "lot_id": side.things["lot"],
        "price_fen": 4900,
        "quota": 1,
    },
    "POST /host/<code>/pins": lambda side: {
        "lot": side.things["lot"],
        "price_fen": "49.00",
        "quota": "1",
    },
    "POST /api/v1/broadcasts/<code>/offers/<offer>/quota": lambda _side: {"units": 1},
    "POST /host/<code>/quota/<offer>": lambda _side: {"units": "1"},
    "POST /api/v1/broadcasts/<code>/views": lambda _side: {"views": 7},
    "POST /host/<code>/views": lambda _side: {"views": "7"},
    "POST /api/v1/links": lambda _side: {"title_zh": "推广"},
    "POST /links": lambda _side: {"title_zh": "推广"},
    # cabinets
    "POST /operator/sites/new": lambda _side: {"code": "site-z", "kind": "office", "name_zh": "楼"},
    "POST /operator/sites/<code>/cabinets/new": lambda _side: {
        "code": "box-z",
        "slots": "2",
        "capacity": "9",
    },
    "POST /operator/cabinets/<code>/differences/<difference>": lambda _side: {
        "explanation": "查了"
    },
    "PUT /api/v1/cabinets/<code>/differences/<difference>": lambda _side: {"explanation": "查了"},
    "POST /api/v1/cabinets/<code>/restocks": lambda _side: {"lines": [LINE]},
    "POST /operator/cabinets/<code>/restock": lambda _side: {"units-1": "1"},
    "POST /api/v1/cabinets/<code>/returns": lambda _side: {"lines": [LINE]},
    "POST /operator/cabinets/<code>/return": lambda _side: {"units-1": "1"},
    "POST /api/v1/cabinets/<code>/counts": lambda _side: {"lines": [COUNT]},
    "POST /operator/cabinets/<code>/count": lambda _side: {
        "expected-1": "4",
        "counted-1": "3",
        "reason-1": "missing",
    },
    "POST /api/v1/cabinets/<code>/events": lambda _side: {
        "events": [{"sequence": 1, "kind": "heartbeat"}]
    },
}

STAFF_BODIES: dict[str, Callable[[Side], Body]] = {
    "POST /api/v1/consignments": lambda side: {
        "group_order_id": side.things["closed group"],
        "seller_id": side.things["seller"],
    },
    "PUT /api/v1/notice-items/<item_id>/yields": lambda _side: {"quantity": 4},
}
"""Where staff must say for whom they act, or act for the seller as a whole."""
