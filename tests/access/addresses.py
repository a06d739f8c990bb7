"""With what the parts of an address are filled: an own thing, somebody else's, one that is not.

The key is the address up to and including the part. A part behind a full stop belongs to the
part before it: `cabinet.difference` is a difference of that cabinet, and of no other.
"""

from __future__ import annotations

import re

ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")

NUMBERS = frozenset({"member", "group.member", "seller key"})
"""Kinds that are named by a number rather than by a code."""

SECRETS = frozenset({"join", "task"})
"""Kinds whose name is the key: whoever has it may enter, so nobody is somebody else."""

KINDS = {
    "/api/v1/broadcasts/<code>": "broadcast",
    "/api/v1/broadcasts/<code>/offers/<offer>": "broadcast.offer",
    "/api/v1/cabinets/<code>": "cabinet",
    "/api/v1/cabinets/<code>/differences/<difference>": "cabinet.difference",
    "/api/v1/consignments/<consignment_id>": "consignment",
    "/api/v1/field/<token>": "task",
    "/api/v1/group-orders/<group_id>": "group",
    "/api/v1/group-orders/<group_id>/members/<int:membership_id>": "group.member",
    "/api/v1/join/<code>": "join",
    "/api/v1/notice-items/<item_id>": "item",
    "/api/v1/offers/<offer_id>": "offer",
    "/api/v1/orders/<number>": "order",
    "/api/v1/payments/<public_id>": "transfer",
    "/api/v1/quotas/<quota_id>": "quota",
    "/api/v1/refunds/<public_id>": "refund",
    "/api/v1/rounds/<round_id>": "round",
    "/api/v1/sellers/<public_id>": "applicant",
    "/api/v1/sellers/certificates/<public_id>": "certificate",
    "/api/v1/sellers/households/<public_id>": "household",
    "/api/v1/sellers/mine/imports/<public_id>": "import",
    "/api/v1/sellers/mine/lots/<public_id>": "lot",
    "/api/v1/sellers/mine/offers/<public_id>": "offer",
    "/api/v1/sellers/mine/products/<public_id>": "product",
    "/api/v1/settlements/<settlement_id>": "settlement",
    "/api/v1/staff/rounds/<round_id>": "round",
    "/api/v1/staff/rounds/<round_id>/legs/<seller_id>": "seller",
    "/api/v1/staff/rounds/<round_id>/offers/<offer_id>": "round.offer",
    "/api/v1/tokens/<token_id>": "token",
    "/api/v1/units/<unit_id>": "unit",
    "/cabinets/<code>": "cabinet",
    "/cart/again/<number>": "order",
    "/cart/lines/<offer>": "offer",
    "/consignments/<public_id>": "consignment",
    "/field/<token>": "task",
    "/files/<public_id>": "file",
    "/handover/<public_id>": "consignment",
    "POST /handover/<public_id>": "parcel",
    "/api/v1/consignments/<consignment_id>/signature": "parcel",
    "/handover/orders/<number>": "order",
    "/host/<code>": "broadcast",
    "/host/<code>/quota/<offer>": "broadcast.offer",
    "/join/<code>": "join",
    "/links/<code>": "link",
    "/live/<code>": "broadcast",
    "/me/security/sessions/<public_id>": "session",
    "/me/security/tokens/<public_id>": "token",
    "/needs/<public_id>": "group",
    "/offers/<public_id>": "offer",
    "/office/orders/<number>": "order",
    "/operator/cabinets/<code>": "cabinet",
    "/operator/cabinets/<code>/differences/<difference>": "cabinet.difference",
    "/operator/sites/<code>": "site",
    "/orders/<number>": "order",
    "/pay/<public_id>": "payment",
    "/pay/<public_id>/transfer": "transfer",
    "/photos/<public_id>": "photo",
    "/rounds/<public_id>": "round",
    "/s/<code>": "link",
    "/seller/consignments/<public_id>": "consignment",
    "/seller/harvest/<public_id>": "notice",
    "/seller/money/<public_id>": "settlement",
    "/seller/harvest/items/<item_id>": "item",
    "/seller/harvest/items/<item_id>/answer/<quota_id>": "item.quota",
    "/seller/households/<public_id>": "household",
    "/seller/import/<public_id>": "import",
    "/seller/lots/<public_id>": "lot",
    "/seller/offers/<public_id>": "offer",
    "/seller/products/<public_id>": "product",
    "/staff/refunds/<public_id>": "refund",
    "/staff/rounds/<public_id>": "round",
    "/staff/rounds/<public_id>/legs/<int:seller_id>": "seller key",
    "/staff/rounds/<public_id>/offers/<offer>": "round.offer",
    "/staff/sellers/<public_id>": "applicant",
    "/staff/sellers/certificates/<public_id>": "certificate",
    "/staff/settlements/<public_id>": "settlement",
    "/staff/transfers/<public_id>": "transfer",
    "/static/<path:filename>": "picture",
    "/unit/members/<int:membership_id>": "member",
    "/unit/orders/<public_id>": "group",
}


def kinds_of(row: str) -> list[str]:
    """Return the kinds of the parts of an address, in order. Raises KeyError for an unknown one.

    A row, or an address that goes on, may say what its one part is better than the part does.
    """
    path = row.split()[1]
    parts = [path[: match.end()] for match in ARGUMENT.finditer(path)]
    for whole in (row, path):
        if whole in KINDS and len(parts) == 1:
            return [KINDS[whole]]
    return [KINDS[part] for part in parts]


def nothing(kind: str) -> str:
    """Return a name of `kind` that nothing has."""
    return "987654321" if kind in NUMBERS else "nothing-here"


def filled(path: str, names: list[str]) -> str:
    """Return the address with its parts replaced by `names`, in order."""
    rest = iter(names)
    return ARGUMENT.sub(lambda _match: next(rest), path)
