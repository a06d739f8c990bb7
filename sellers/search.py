"""Words under which a product is found, in Chinese and English.

Chinese has no spaces, so every character and every pair of neighbours is a term; English words
are cut to their stems, so that "oranges" finds an orange. A list of terms answers a search with
one "contains all of" over a GIN index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, true

from sellers.everyday_names import other_names
from sellers.model import Lot, Product, Seller

RULE = 1
"""Which way of making terms this is. Raise it with every change, and all terms are made anew."""

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


@cache
def _stemmer() -> Any:
    import snowballstemmer  # noqa: PLC0415  # few search in English

    return snowballstemmer.stemmer("english")


def _stem(word: str) -> str:
    """Return what an English word has in common with its plural."""
    stem: str = _stemmer().stemWord(word)
    return stem


def terms(text: str) -> list[str]:
    """Return the terms under which `text` is found: characters, pairs of them, stems of words."""
    found: list[str] = []
    for piece in _pieces(text):
        found += [*piece, *_pairs(piece)] if _is_han(piece) else [_stem(piece)]
    return list(dict.fromkeys(found))


def query_terms(query: str) -> list[str]:
    """Return the terms that a product must all have to answer `query`; none for no words."""
    wanted: list[str] = []
    for piece in _pieces(query[:MAX_QUERY_LENGTH]):
        wanted += _pairs(piece) or [piece] if _is_han(piece) else [_stem(piece)]
    return list(dict.fromkeys(wanted))


def finds_lot(search: str) -> ColumnElement[bool]:
    """Return when a lot, joined to its product, answers `search`; nothing searched finds all.

    By its product, seller and place, by how its own code begins, or by its public id.
    """
    asked = search.strip()
    if not asked:
        return true()
    known_by = (Lot.public_id == asked) | Lot.code.istartswith(asked, autoescape=True)
    words = query_terms(asked)
    return known_by | Product.terms.contains(words) if words else known_by


def _texts(product: Product, seller: Seller) -> Iterable[str]:
    yield from (product.name_zh, product.name_en, product.variety, product.grade)
    yield from (seller.name_zh, seller.name_en, seller.province, seller.city, seller.county)
    yield from (seller.township, seller.village)
    yield from other_names(product.category, f"{product.name_zh} {product.variety or ''}")


def write_terms(product: Product, seller: Seller) -> None:
    """Let a product be found: by its own words, what buyers call it, its seller and its place."""
    found: dict[str, None] = {}
    for text in _texts(product, seller):
        found.update(dict.fromkeys(terms(text or "")))
    product.terms = list(found)
    product.terms_rule = RULE
