"""Where a viewer can go from here: the shop's words, the phone's tab bar, and each role's rail.

An item is shown only if its endpoint exists and lets this viewer in, so no link is ever dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Flask, current_app, has_request_context, request
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from kernel.access import Viewer, may_enter, viewer
from kernel.identity import Role
from kernel.language import reads_english
from marketplace.addresses import address

RAIL_LIMIT = 8


@dataclass(frozen=True)
class Item:
    """One link: an endpoint without arguments, its word and its icon.

    It is current on its own endpoint and on every endpoint that begins with one of `under`.
    """

    endpoint: str
    label: LazyString
    icon: str
    under: tuple[str, ...] = ()

    def is_current(self, endpoint: str | None) -> bool:
        """Tell whether `endpoint` is this item's page or one below it."""
        if endpoint is None:
            return False
        return endpoint == self.endpoint or endpoint.startswith(self.under or (self.endpoint,))


class Link(NamedTuple):
    """An item as it stands on a page: its address, its word, and whether that page is open."""

    href: str
    label: str
    icon: str
    is_current: bool


HOME = Item("storefront.home", _l("首页"), "home")
ROUNDS = Item("rounds.index", _l("预订"), "calendar-event", ("rounds.", "groups."))
LIVE = Item("livestream.index", _l("直播"), "broadcast", ("livestream.index", "livestream.show"))
CART = Item("cart.show", _l("购物车"), "shopping-cart", ("cart.", "checkout."))
MINE = Item("account.me", _l("我的"), "user", ("account.", "orders."))

SHOP = (
    HOME,
    ROUNDS,
    LIVE,
    Item("cabinets.index", _l("智能柜"), "fridge", ("cabinets.index", "cabinets.show")),
    Item("units.index", _l("单位采购"), "users", ("units.index", "units.join")),
)
TABBAR = (HOME, ROUNDS, LIVE, CART, MINE)
BESIDE = tuple(item for item in SHOP if all(item is not one for one in TABBAR))

# In the order in which somebody with several roles meets them.
RAILS: dict[Role, tuple[Item, ...]] = {
    Role.COORDINATOR: (
        Item(
            "units.desk",
            _l("这一期"),
            "calendar-event",
            ("units.desk", "units.group_order", "units.open", "units.share"),
        ),
        Item("units.history", _l("往期订单"), "history"),
        Item("purchases.index", _l("采购台账"), "file-spreadsheet"),
        Item("handover.arrivals", _l("验收"), "file-check", ("handover.",)),
        Item("units.staff", _l("员工"), "users"),
        Item("units.payments", _l("付款"), "credit-card"),
    ),
    Role.CLERK: (
        Item("sellers.desk", _l("供货"), "building-store"),
        Item(
            "sellers.offers",
            _l("上架"),
            "tag",
            ("sellers.offer", "sellers.import", "sellers.stock"),
        ),
        Item("sellers.lots", _l("批次"), "stack-2", ("sellers.lot", "sellers.product")),
        Item("harvest.notices", _l("采收通知"), "basket", ("harvest.",)),
        Item("handover.consignments", _l("发货"), "truck-delivery", ("handover.",)),
        Item("sellers.households", _l("农户"), "home-heart", ("sellers.household",)),
        Item("settlements.mine", _l("结算"), "cash-banknote", ("settlements.",)),
        Item("sellers.certificates", _l("证书"), "certificate", ("sellers.certificate",)),
    ),
    Role.STEWARD: (Item("household.home", _l("农户任务"), "home-heart", ("household.",)),),
    Role.HOST: (
        Item("livestream.desk", _l("我的直播"), "broadcast", ("livestream.",)),
        Item("links.index", _l("推广码"), "qrcode", ("links.",)),
    ),
    Role.OPERATOR: (
        Item("cabinets.desk", _l("智能柜"), "fridge", ("cabinets.",)),
        Item("restock.index", _l("补货"), "truck-delivery", ("restock.",)),
    ),
    Role.STAFF: (
        Item("report.channels", _l("渠道报表"), "chart-bar", ("report.channels",)),
        Item("verification.index", _l("供货方"), "shield-check", ("verification.",)),
        Item("transfers.index", _l("转账"), "transfer", ("transfers.",)),
        Item("office.orders", _l("订单"), "clipboard-list", ("office.order",)),
        Item("planning.index", _l("预订期"), "calendar-event", ("planning.",)),
        Item("settlements.index", _l("结算"), "cash-banknote", ("settlements.",)),
        Item("ledger.index", _l("总账"), "book-2", ("ledger.",)),
        Item("cabinets.desk", _l("智能柜"), "fridge", ("cabinets.",)),
    ),
    Role.AUDITOR: (
        Item("ledger.index", _l("总账"), "book-2"),
        Item("ledger.acts", _l("留痕"), "eye"),
        Item("report.channels", _l("渠道报表"), "chart-bar", ("report.channels",)),
    ),
    Role.ADMIN: (
        Item("report.channels", _l("渠道报表"), "chart-bar", ("report.channels",)),
        Item("ledger.index", _l("总账"), "book-2"),
        Item("ledger.acts", _l("留痕"), "eye"),
    ),
}

ROLE_NAMES: dict[Role, LazyString] = {
    Role.VISITOR: _l("访客"),
    Role.CONSUMER: lazy_pgettext("one", "买家"),
    Role.OFFICIAL: _l("单位职工"),
    Role.COORDINATOR: _l("集体订购联系人"),
    Role.CLERK: _l("供货方经办人"),
    Role.STEWARD: _l("帮扶责任人"),
    Role.HOST: _l("主播"),
    Role.OPERATOR: _l("智能柜运营"),
    Role.DEVICE: _l("设备"),
    Role.STAFF: _l("平台工作人员"),
    Role.AUDITOR: _l("审计"),
    Role.ADMIN: _l("管理员"),
}


@dataclass(frozen=True)
class Workspace:
    """One role's rail, as this viewer may walk it."""

    role: Role
    name: LazyString
    items: tuple[Item, ...]


def exists(endpoint: str) -> bool:
    """Tell whether the application has a view of that name."""
    return endpoint in current_app.view_functions


def can(endpoint: str) -> bool:
    """Tell whether this request's viewer may open `endpoint`; False when there is none."""
    return exists(endpoint) and may_enter(endpoint, viewer())


@cache
def _labels(_english: bool) -> dict[str, str]:
    """Return the shop's words by endpoint, in the language of this request."""
    return {item.endpoint: str(item.label) for item in (*SHOP, *TABBAR)}


def _shown(items: tuple[Item, ...]) -> list[Link]:
    who, here, labels = viewer(), request.endpoint, _labels(reads_english())
    return [
        Link(address(item.endpoint), labels[item.endpoint], item.icon, item.is_current(here))
        for item in items
        if may_enter(item.endpoint, who)
    ]


def shop_nav() -> list[Link]:
    """Return the words in the shop's head."""
    return _shown(SHOP)


def tabbar() -> list[Link]:
    """Return the phone's tab bar, five at most."""
    return _shown(TABBAR)


def beside_tabbar() -> list[Link]:
    """Return the shop's words for which the phone's tab bar has no room."""
    return _shown(BESIDE)


def workspaces(who: Viewer) -> list[Workspace]:
    """Return every workspace in which `who` has at least one page, in a fixed order."""
    spaces = []
    for role, items in RAILS.items():
        open_items = tuple(item for item in items if can(item.endpoint))[:RAIL_LIMIT]
        if role in who.roles and open_items:
            spaces.append(Workspace(role, ROLE_NAMES[role], open_items))
    return spaces


def workspace(who: Viewer, endpoint: str | None) -> Workspace | None:
    """Return the workspace to which `endpoint` belongs, else the first; None for a plain buyer."""
    spaces = workspaces(who)
    for space in spaces:
        if any(item.is_current(endpoint) for item in space.items):
            return space
    return spaces[0] if spaces else None


def rail() -> Workspace | None:
    """Return the rail of the page that is being shown."""
    return workspace(viewer(), request.endpoint) if has_request_context() else None


def came_from() -> str | None:
    """Return the path of the page of this site that led here, None if it was none of ours."""
    before = urlsplit(request.referrer or "")
    if before.netloc != request.host or not before.path.startswith("/"):
        return None
    return before.path + (f"?{before.query}" if before.query else "")


def register(app: Flask) -> None:
    """Give the menus to templates; they are asked for only by pages that show them."""
    for one in (can, came_from, exists, shop_nav, tabbar, beside_tabbar, rail):
        app.add_template_global(one, one.__name__)
    app.add_template_global(lambda: workspaces(viewer()), "my_workspaces")
    app.context_processor(lambda: {"role_names": ROLE_NAMES})
