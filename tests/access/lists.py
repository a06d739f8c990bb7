"""Lists, and of what kind their rows are: where a table's word is `own` or `all`, it is held here.

What a list is for oneself alone names one's own thing and nothing of the other side; what is
for all names things of both.
"""

LISTS = {
    "GET /api/v1/arrivals": "consignment",
    "GET /api/v1/broadcasts": "broadcast",
    "GET /api/v1/consignments": "consignment",
    "GET /api/v1/harvest-notices": "notice",
    "GET /api/v1/orders": "order",
    "GET /api/v1/packing": "order to pack",
    "GET /api/v1/refunds": "refund",
    "GET /api/v1/sellers": "applicant",
    "GET /api/v1/sellers/certificates": "certificate",
    "GET /api/v1/sellers/households": "household",
    "GET /api/v1/sellers/mine": "seller",
    "GET /api/v1/sellers/mine/certificates": "certificate",
    "GET /api/v1/sellers/mine/lots": "lot",
    "GET /api/v1/sellers/mine/offers": "offer",
    "GET /api/v1/sellers/mine/products": "product",
    "GET /api/v1/settlements": "settlement",
    "GET /api/v1/settlements/waiting": "seller",
    "GET /api/v1/staff/rounds": "round",
    "GET /api/v1/tokens": "token",
    "GET /api/v1/transfers": "transfer",
    "GET /api/v1/units": "unit",
    "GET /field": "task",
    "GET /host": "broadcast",
    "GET /links": "link",
    "GET /me": "order",
    "GET /me/security": "session",
    "GET /office/orders": "order",
    "GET /operator": "cabinet",
    "GET /operator/restock": "cabinet",
    "GET /orders": "order",
    "GET /seller/certificates": "paper file",
    "GET /seller/consignments": "consignment",
    "GET /seller/harvest": "notice",
    "GET /seller/households": "household",
    "GET /seller/import": "import",
    "GET /seller/lots": "lot",
    "GET /seller/offers": "offer",
    "GET /seller/products": "product",
    "GET /staff/refunds": "refund",
    "GET /staff/rounds": "round",
    "GET /staff/sellers": "applicant",
    "GET /staff/sellers/certificates": "certificate",
    "GET /staff/settlements": "settlement",
    "GET /staff/transfers": "transfer",
    "GET /unit": "group",
    "GET /unit/arrivals": "consignment",
    "GET /unit/members": "staff number",
    "GET /unit/orders": "group",
    "GET /unit/purchases": "group",
}

LOTS_TO_CHOOSE = frozenset(
    {
        *("GET /host/<code>", "GET /operator/cabinets/<code>/restock"),
        *("GET /staff/rounds/<public_id>", "GET /api/v1/staff/rounds/<round_id>/lots"),
    }
)
"""Where a host, an operator or staff choose among every seller's lots."""
