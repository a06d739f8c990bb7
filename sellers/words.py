"""What pages call the kinds and states of the supply side."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from sellers.model import (
    Category,
    CertificateState,
    HouseholdStatus,
    ImportState,
    LotMode,
    Place,
    SellerKind,
    SellerState,
)

SELLER_KINDS: dict[SellerKind, LazyString] = {
    SellerKind.COOPERATIVE: _l("合作社"),
    SellerKind.FAMILY_FARM: _l("家庭农场"),
    SellerKind.COLLECTIVE: _l("村集体"),
    SellerKind.HOUSEHOLD_GROUP: _l("农户联合"),
    SellerKind.PLATFORM: _l("平台"),
}
SELLER_STATES: dict[SellerState, LazyString] = {
    SellerState.DRAFT: _l("还没提交"),
    SellerState.SUBMITTED: _l("等待审核"),
    SellerState.VERIFIED: _l("已认证"),
    SellerState.RETURNED: _l("已退回"),
}
STATE_TAGS: dict[SellerState, tuple[str, str]] = {
    SellerState.DRAFT: ("", "edit"),
    SellerState.SUBMITTED: ("field", "hourglass"),
    SellerState.VERIFIED: ("ready", "check"),
    SellerState.RETURNED: ("wrong", "alert-triangle"),
}
"""The tag's kind and icon for each state."""

CATEGORIES: dict[Category, LazyString] = {
    Category.FRUIT: _l("水果"),
    Category.EGGS: _l("蛋"),
    Category.POULTRY: _l("禽肉"),
    Category.VEGETABLE: _l("蔬菜"),
    Category.TEA: _l("茶"),
    Category.HONEY: _l("蜂蜜"),
    Category.GRAIN: _l("粮食"),
    Category.MUSHROOM: _l("菌菇"),
    Category.DRIED: _l("干货"),
    Category.OIL: _l("油"),
    Category.SPICE: _l("调料"),
}
MODES: dict[LotMode, LazyString] = {
    LotMode.IN_HAND: _l("现货"),
    LotMode.IN_FIELD: _l("还在地里"),
}
PLACES: dict[Place, LazyString] = {
    Place.SHOP: _l("商城"),
    Place.ROUND: lazy_pgettext("one", "预订期"),
    Place.BROADCAST: _l("直播"),
    Place.SLOT: lazy_pgettext("one", "智能柜"),
}
CERTIFICATES: dict[str, LazyString] = {
    "licence": _l("营业执照"),
    "organic": _l("有机产品认证"),
    "green": _l("绿色食品认证"),
    "origin": _l("农产品地理标志"),
    "inspection": _l("检测报告"),
    "quarantine": _l("动物检疫证明"),
    "other": _l("其他证书"),
}
CERTIFICATE_STATES: dict[CertificateState, LazyString] = {
    CertificateState.PENDING: _l("等平台看"),
    CertificateState.ACCEPTED: _l("买家能看到"),
    CertificateState.RETURNED: _l("被退回"),
}
CERTIFICATE_TAGS: dict[CertificateState, tuple[str, str]] = {
    CertificateState.PENDING: ("field", "hourglass"),
    CertificateState.ACCEPTED: ("ready", "check"),
    CertificateState.RETURNED: ("wrong", "alert-triangle"),
}
HOUSEHOLD_STATUSES: dict[HouseholdStatus, LazyString] = {
    HouseholdStatus.REGISTERED: _l("脱贫户"),
    HouseholdStatus.MONITORED: _l("监测户"),
    HouseholdStatus.ORDINARY: _l("一般户"),
}
PLAN_KINDS: dict[str, LazyString] = {
    "delivery": _l("按交货"),
    "shares": _l("按份分红"),
    "wage": _l("务工"),
    "second": _l("二次分红"),
}
IMPORT_STATES: dict[ImportState, LazyString] = {
    ImportState.READING: _l("正在读取"),
    ImportState.PREVIEW: _l("等你确认"),
    ImportState.LOADING: _l("正在上架"),
    ImportState.DONE: _l("已上架"),
    ImportState.FAILED: _l("没有上架"),
}
