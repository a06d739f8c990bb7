"""What channels are called, and the colour in which each is always drawn."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from orders.model import CreditKind

_CHANNELS: dict[CreditKind, tuple[LazyString, str]] = {
    CreditKind.BROADCAST: (_l("直播"), "live"),
    CreditKind.ROUND: (_l("集体订购"), "group"),
    CreditKind.SHARE: (_l("推广码"), "share"),
    CreditKind.SHOP: (_l("商城"), "shop"),
    CreditKind.CABINET: (_l("智能柜"), "cabinet"),
}


def channel_name(kind: CreditKind) -> LazyString:
    """Return what a channel is called."""
    return _CHANNELS[kind][0]


def channel_key(kind: CreditKind) -> str:
    """Return the word of a channel's colour in the style sheets: live, group, share …"""
    return _CHANNELS[kind][1]
