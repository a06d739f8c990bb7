"""Words under which a product is found, in Chinese and English, without a dictionary.

Chinese has no spaces, so every character and every pair of neighbours is a term; a list of
terms answers a search with one "contains all of" over a GIN index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sellers.model import Product, Seller

MAX_QUERY_LENGTH = 60
"""Characters of a search that are looked at; the rest says nothing more."""

_HAN = "㐀-䶿一-鿿豈-﫿〇"
_PIECES = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")


def _pieces(text: str) -> list[str]:
    """Return runs of Chinese characters and lowercase words of other scripts, in order."""
    return _PIECES.findall(unicodedata.normalize("NFKC", text).lower())


def _is_han(piece: str) -> bool:
    return re.match(f"[{_HAN}]", piece) is not None


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def terms(text: str) -> list[str]:
    """Return the terms under which `text` is found: characters, pairs of them, latin words."""
    found: list[str] = []
    for piece in _pieces(text):
        found += [*piece, *_pairs(piece)] if _is_han(piece) else [piece]
    return list(dict.fromkeys(found))


def query_terms(query: str) -> list[str]:
    """Return the terms that a product must all have to answer `query`; none for no words."""
    wanted: list[str] = []
    for piece in _pieces(query[:MAX_QUERY_LENGTH]):
        wanted += _pairs(piece) or [piece] if _is_han(piece) else [piece]
    return list(dict.fromkeys(wanted))


def _texts(product: Product, seller: Seller) -> Iterable[str]:
    yield from (product.name_zh, product.name_en, product.variety, product.grade)
    yield from (seller.name_zh, seller.name_en, seller.province, seller.city, seller.county)
    yield from (seller.township, seller.village)


def product_terms(product: Product, seller: Seller) -> list[str]:
    """Return the terms of a product: its own words, its seller's name and where it grows."""
    found: dict[str, None] = {}
    for text in _texts(product, seller):
        found.update(dict.fromkeys(terms(text or "")))
    return list(found)
