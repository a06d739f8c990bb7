"""The columns of the spreadsheet, and what is said about a cell that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from kernel.language import count
from sellers.model import Category, LotMode

K = TypeVar("K")

MAX_ROWS = 5_000
MAX_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading in either language, an example and its limit in words.

    `needed` says that no row may leave it empty, `most` the most characters of a text.
    """

    key: str
    heading: str
    heading_en: str
    limit: str
    limit_en: str
    example: str | int = ""
    example_en: str | int = ""
    needed: bool = False
    most: int = 0

    def headed(self, *, english: bool) -> str:
        """Return the heading in the language of a file."""
        return self.heading_en if english else self.heading


CATEGORIES = {
    Category.FRUIT: ("水果", "Fruit"),
    Category.EGGS: ("蛋", "Eggs"),
    Category.POULTRY: ("禽肉", "Poultry"),
    Category.VEGETABLE: ("蔬菜", "Vegetables"),
    Category.TEA: ("茶", "Tea"),
    Category.HONEY: ("蜂蜜", "Honey"),
    Category.GRAIN: ("粮食", "Grain"),
    Category.MUSHROOM: ("菌菇", "Mushrooms"),
    Category.DRIED: ("干货", "Dried goods"),
    Category.OIL: ("油", "Oil"),
    Category.SPICE: ("调料", "Spices"),
}
"""What a file calls a category: in Chinese, in English."""

MODES = {LotMode.IN_HAND: ("现货", "In hand"), LotMode.IN_FIELD: ("在地", "In the field")}


def choices(names: Mapping[Any, tuple[str, str]], *, english: bool) -> list[str]:
    """Return what a file in one language may say, in the order in which it is offered."""
    return [name[english] for name in names.values()]


_OPTIONAL, _OPTIONAL_EN = "可不填，最多 {} 个字", "Optional, at most {} characters"
COLUMNS = (
    Column(
        "name_zh", "产品名称", "Product name",
        "必填，最多 60 个字", "Needed, at most 60 characters; buyers see it, so in Chinese",
        "玫瑰香橙", "玫瑰香橙", needed=True, most=60,
    ),
    Column(
        "name_en", "英文名", "English name",
        "可不填，最多 120 个字母", _OPTIONAL_EN.format(120), "Rose orange", "Rose orange", most=120,
    ),
    Column(
        "category", "分类", "Category",
        "必填：" + "、".join(choices(CATEGORIES, english=False)),
        "Needed: " + ", ".join(choices(CATEGORIES, english=True)),
        "水果", "Fruit", needed=True,
    ),
    Column(
        "variety", "品种", "Variety",
        _OPTIONAL.format(60), _OPTIONAL_EN.format(60), "塔罗科血橙", "Tarocco", most=60,
    ),
    Column(
        "grade", "等级", "Grade",
        _OPTIONAL.format(30), _OPTIONAL_EN.format(30), "一级", "一级", most=30,
    ),
    Column(
        "unit_name", "销售单位", "Sale unit",
        "必填，最多 8 个字：箱、斤、枚、只",
        "Needed, at most 8 characters: 箱 (box), 斤 (jin), 枚 (piece), 只 (bird)",
        "箱", "箱", needed=True, most=8,
    ),
    Column(
        "unit_g", "每份重量（克）", "Weight of one (g)",
        "必填，整数，1 到 1000000", "Needed, a whole number, 1 to 1000000", 5000, 5000, needed=True,
    ),
    Column(
        "mode", "现货或在地", "In hand or in the field",
        "必填：现货 或 在地（还没采收）", "Needed: In hand, or In the field (not harvested yet)",
        "现货", "In hand", needed=True,
    ),
    Column(
        "offered", "数量", "Quantity",
        "必填，整数，1 到 10000000，按销售单位计",
        "Needed, a whole number, 1 to 10000000, in sale units", 200, 200, needed=True,
    ),
    Column(
        "harvest_from", "采收开始", "Harvest from",
        "在地必填，如 2026-12-01", "Needed in the field, like 2026-12-01",
    ),
    Column(
        "harvest_to", "采收结束", "Harvest to",
        "在地必填，不早于采收开始", "Needed in the field, not before it begins",
    ),
    Column(
        "price_fen", "单价（元）", "Price (yuan)",
        "必填，大于 0，最多两位小数", "Needed, more than 0, at most two decimals",
        59, 59, needed=True,
    ),
    Column(
        "broadcast_floor_fen", "直播最低价（元）", "Lowest livestream price (yuan)",
        "可不填，不高于单价；不填就按单价",
        "Optional, at most the price; the price itself when left empty",
    ),
    Column(
        "limit_per_buyer", "每人限购", "Limit per buyer",
        "可不填，整数；不填就不限", "Optional, a whole number; none when left empty",
    ),
    Column(
        "closes_on", "卖到哪天", "On sale until",
        "可不填，如 2026-12-31，当天 24:00 截止",
        "Optional, like 2026-12-31; that day counts whole",
    ),
)  # fmt: skip
_BY_HEADING = {
    name.casefold(): column.key
    for column in COLUMNS
    for name in (column.heading, column.heading_en)
}


def key_of(heading: str) -> str | None:
    """Return the column that a file's heading names in either language, None for another."""
    return _BY_HEADING.get(heading.rstrip("*＊ ").casefold())


def meant(text: str, names: Mapping[K, tuple[str, str]]) -> K | None:
    """Return what `text` names in either language, None for nothing."""
    said = text.casefold()
    return next((one for one, name in names.items() if said in map(str.casefold, name)), None)


FAULTS: dict[str, LazyString] = {
    "needed": _l("没有填。这一列必须填。"),
    "formula": _l(
        "这一格的公式没有结果。用 Excel 或 WPS 打开，看到结果后存一次，或者直接填上内容。"
    ),
    "too_long": _l("太长了，最多 %(most)s 个字。"),
    "category": _l("没有这个分类。写其中一个：%(known)s。"),
    "mode": _l("只能写 现货 或 在地。"),
    "whole": _l("要写 %(least)s 到 %(most)s 的整数，不带单位，如 %(example)s。"),
    "price": _l("要写大于 0 的金额，最多两位小数，如 59 或 59.50。"),
    "floor": _l("直播最低价比单价高。改成单价或更低，或者留空。"),
    "date": _l("看不懂这个日期。写成 2026-12-01 这样。"),
    "years": _l("年份要在 %(least)s 到 %(most)s 之间。"),
    "window_needed": _l("还在地里的，采收开始、采收结束两格都要填，写成 2026-12-01 这样。"),
    "window_order": _l("采收结束早于采收开始。换一下或改日期。"),
    "past": _l("这一天已经过去了。写今天或以后的日期。"),
    "repeated": _l("和第 %(line)s 行完全一样。删掉一行，或者改成不同的。"),
    "no_rows": _l("表里没有一行内容。从模板第 2 行开始填，再上传。"),
    "too_many_rows": _l("超过 %(most)s 行。分成几个文件上传。"),
    "headings": _l("缺少这几列：%(missing)s。下载模板，把内容贴进去再上传。"),
    "unreadable": _l("这个文件打不开，可能坏了。在 Excel 里另存为 .xlsx 再上传。"),
    "load_refused": _l("上架时被拒：%(why)s 一行也没有上架。"),
}


def say(fault: dict[str, Any]) -> str:
    """Return what is wrong with a cell and what to write instead."""
    words: Any = FAULTS[str(fault["fault"])]
    values = dict(fault.get("with", {}))
    if fault["fault"] == "whole":
        values.update({bound: count(values[bound]) for bound in ("least", "most")})
    return str(words) % values
