"""The columns of the spreadsheet, and what is said about a cell that is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from sellers.model import Category, LotMode

MAX_ROWS = 5_000
MAX_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading (always Chinese, as in the file), an example and its limit.

    `needed` says that no row may leave it empty, `most` the most characters of a text.
    """

    key: str
    heading: str
    example: str | int | float
    limit: str
    needed: bool = False
    most: int = 0


CATEGORIES = {
    "水果": Category.FRUIT,
    "蛋": Category.EGGS,
    "禽肉": Category.POULTRY,
    "蔬菜": Category.VEGETABLE,
    "茶": Category.TEA,
    "蜂蜜": Category.HONEY,
    "粮食": Category.GRAIN,
    "菌菇": Category.MUSHROOM,
    "干货": Category.DRIED,
    "油": Category.OIL,
    "调料": Category.SPICE,
}
MODES = {"现货": LotMode.IN_HAND, "在地": LotMode.IN_FIELD}

COLUMNS = (
    Column("name_zh", "产品名称", "玫瑰香橙", "必填，最多 60 个字", needed=True, most=60),
    Column("name_en", "英文名", "Rose orange", "可不填，最多 120 个字母", most=120),
    Column("category", "分类", "水果", "必填：" + "、".join(CATEGORIES), needed=True),
    Column("variety", "品种", "塔罗科血橙", "可不填，最多 60 个字", most=60),
    Column("grade", "等级", "一级", "可不填，最多 30 个字", most=30),
    Column("unit_name", "销售单位", "箱", "必填，最多 8 个字：箱、斤、枚、只", needed=True, most=8),
    Column("unit_g", "每份重量（克）", 5000, "必填，整数，1 到 1000000", needed=True),
    Column("mode", "现货或在地", "现货", "必填：现货 或 在地（还没采收）", needed=True),
    Column("offered", "数量", 200, "必填，整数，1 到 10000000，按销售单位计", needed=True),
    Column("harvest_from", "采收开始", "", "在地必填，如 2026-12-01"),
    Column("harvest_to", "采收结束", "", "在地必填，不早于采收开始"),
    Column("price_fen", "单价（元）", 59, "必填，大于 0，最多两位小数", needed=True),
    Column("limit_per_buyer", "每人限购", "", "可不填，整数；不填就不限"),
    Column("closes_on", "卖到哪天", "", "可不填，如 2026-12-31，当天 24:00 截止"),
)
HEADINGS = {column.heading: column for column in COLUMNS}
HEADING_OF = {column.key: column.heading for column in COLUMNS}

FAULTS: dict[str, LazyString] = {
    "needed": _l("没有填。这一列必须填。"),
    "too_long": _l("太长了，最多 %(most)s 个字。"),
    "category": _l("没有这个分类。写其中一个：%(known)s。"),
    "mode": _l("只能写 现货 或 在地。"),
    "whole": _l("要写 %(least)s 到 %(most)s 的整数，不带单位，如 %(example)s。"),
    "price": _l("要写大于 0 的金额，最多两位小数，如 59 或 59.50。"),
    "date": _l("看不懂这个日期。写成 2026-12-01 这样。"),
    "window_needed": _l("还在地里的，要写采收从哪天到哪天。"),
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
    return str(words) % {str(k): v for k, v in dict(fault.get("with", {})).items()}
