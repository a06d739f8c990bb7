"""What buyers call things that a seller's list calls otherwise: 橙子 for 橙, 番茄 for 西红柿.

Common knowledge about produce, as data. A name counts in its own category only: the 茶 of
山茶油 is no tea. The longest name counts: 猕猴桃 holds no 桃.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from sellers.model import Category

OF_CATEGORY: Mapping[Category, str] = {
    Category.FRUIT: "水果 鲜果 fruit",
    Category.EGGS: "蛋 蛋类 禽蛋 eggs",
    Category.POULTRY: "禽肉 家禽 poultry meat",
    Category.VEGETABLE: "蔬菜 vegetables",
    Category.TEA: "茶 茶叶 tea",
    Category.HONEY: "蜂蜜 honey",
    Category.GRAIN: "粮食 杂粮 grain",
    Category.MUSHROOM: "菌菇 蘑菇 食用菌 mushrooms",
    Category.DRIED: "干货 dried goods",
    Category.OIL: "油 食用油 oil",
    Category.SPICE: "调料 香料 调味 spices",
}
"""Words under which all of a category is found."""

_SAME: Mapping[Category, tuple[str, ...]] = {
    Category.FRUIT: (
        "橙 橙子",
        "橘 桔 橘子 桔子",
        "柑 柑子",
        "柑橘 柑桔 橘子 桔子",
        "柚 柚子",
        "梨 梨子",
        "李 李子",
        "杏 杏子",
        "枣 枣子",
        "桃 桃子",
        "猕猴桃 奇异果",
        "樱桃 车厘子",
        "菠萝 凤梨",
        "火龙果 红龙果",
        "圣女果 小番茄 小西红柿",
        "核桃",
        "杨桃",
        "杨梅",
    ),
    Category.VEGETABLE: (
        "西红柿 番茄",
        "红薯 地瓜 番薯 甘薯",
        "土豆 马铃薯 洋芋",
        "姜 生姜",
        "蒜 大蒜",
        "马蹄 荸荠",
        "玉米 苞谷 包谷",
        "卷心菜 圆白菜 包菜 甘蓝",
        "花菜 菜花 花椰菜",
        "西兰花 青花菜",
        "山药 淮山",
        "豆角 长豆角 豇豆",
        "莴笋 莴苣",
        "辣椒 辣子",
    ),
    Category.POULTRY: ("鸡 鸡肉", "鸭 鸭肉", "鹅 鹅肉"),
    Category.GRAIN: ("玉米 苞谷 包谷", "大米 稻米", "小米 粟米", "燕麦 莜麦"),
    Category.MUSHROOM: ("木耳 黑木耳", "银耳 白木耳", "香菇 冬菇"),
    Category.DRIED: ("红薯 地瓜 番薯 甘薯", "花生 落花生", "木耳 黑木耳", "香菇 冬菇"),
    Category.OIL: ("山茶油 茶油 茶籽油", "菜油 菜籽油"),
    Category.SPICE: ("姜 生姜", "蒜 大蒜", "辣椒 辣子"),
}


@cache
def _named(category: Category) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """Return what finds a category's names in a text, and for each name all that mean the same."""
    same = {name: group for group in _SAME.get(category, ()) for name in group.split()}
    longest_first = sorted(same, key=len, reverse=True)
    return re.compile("|".join(longest_first) or r"(?!)"), same


def other_names(category: Category, text: str) -> list[str]:
    """Return what buyers may call the things that `text` names, words apart by spaces."""
    pattern, same = _named(category)
    return [OF_CATEGORY[category], *(same[name] for name in pattern.findall(text))]
