"""The facts of the demo, read from the csv files in demo/."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "demo"

PICTURES = {
    "kz-orange-box": "orange.webp",
    "xs-egg": "egg.webp",
    "xs-chrysanthemum": "chrysanthemum.webp",
    "lc-chicken": "chicken.webp",
    "lc-egg": "egg.webp",
    "lc-waterchestnut": "chestnut.webp",
    "lc-ginger": "ginger.webp",
    "lc-rice": "rice.webp",
    "lc-honey": "honey.webp",
    "lc-sweetpotato": "sweetpotato.webp",
    "lc-camellia-oil": "olive.webp",
    "yb-citrus": "orange.webp",
    "yb-vegetable": "vegetable.webp",
    "wz-mushroom": "mushroom.svg",
    "wz-rose-orange": "orange.webp",
    "wz-plum": "plum.webp",
    "wz-honey": "honey.webp",
    "yb-pepper": "pepper.webp",
    "ry-pear": "pear.webp",
    "wy-millet": "millet.webp",
    "gc-tomato": "tomato.webp",
}
"""Which drawing stands for which listing."""


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of demo/`name`.csv, in order."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
