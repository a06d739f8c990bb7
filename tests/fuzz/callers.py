"""Who calls in a fuzzing run, and with which real names: chosen by what a case holds.

The choice depends on the case alone, so that a case that failed fails again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from flask import Flask

from kernel.access import rule_of
from kernel.identity import Role
from kernel.tokens import issue_token
from tests.town.addresses import NAMES, names, places
from tests.town.people import People

STRANGERS = 8
"""One call in so many is made by somebody whom the endpoint may not let in."""
UNREAL = 5
"""One name in so many is left as it was made up."""
FIELDS = {
    "offer_id": "offers",
    "lot_id": "lots",
    "product_id": "products",
    "round_id": "rounds",
    "group_order_id": "group-orders",
    "seller_id": "sellers",
    "household_id": "households",
    "touch": "broadcasts",
}
"""Members of a body that name something → what they name."""


def luck(*of: object) -> int:
    """A number that the same values give again."""
    return crc32(repr(of).encode(errors="backslashreplace"))


@dataclass
class Callers:
    """Everybody's token, who may enter each operation, and the names that the town knows."""

    tokens: Mapping[Role, str]
    welcome: Mapping[tuple[str, str], Sequence[Role]]
    known: Mapping[str, Sequence[Any]]

    def authorization(self, method: str, path: str, seed: int) -> dict[str, str]:
        """The header of somebody who calls; none for a visitor."""
        welcome = self.welcome.get((method, path), ())
        everybody = [*self.tokens, Role.VISITOR]
        among = everybody if not welcome or seed % STRANGERS == 0 else welcome
        token = self.tokens.get(among[seed // STRANGERS % len(among)])
        return {"Authorization": f"Bearer {token}"} if token else {}

    def named(self, path: str, values: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """The arguments of a path, most of them naming what exists."""
        ordered = re.findall(r"{(\w+)}", path)
        real = {
            name: self._one(key, values.get(name), seed + place)
            for place, (name, key) in enumerate(zip(ordered, places(path), strict=True))
        }
        return {**values, **real}

    def filled(self, body: Any, seed: int) -> Any:
        """A body whose ids mostly name what exists."""
        if isinstance(body, dict):
            return {
                name: self._one(FIELDS[name], value, seed)
                if name in FIELDS and isinstance(value, str)
                else self.filled(value, seed)
                for name, value in body.items()
            }
        if isinstance(body, list):
            return [self.filled(one, seed + place) for place, one in enumerate(body)]
        return body

    def _one(self, key: str, made_up: Any, seed: int) -> Any:
        known = self.known[key]
        return made_up if seed % UNREAL == 0 else known[seed // UNREAL % len(known)]


def meet(app: Flask, people: People) -> Callers:
    """Give everybody a token, and read what the town knows. Wants an application context."""
    holders = {role: people.holding(role) for role in Role}
    tokens = {
        role: issue_token(account, factor=True) for role, account in holders.items() if account
    }
    welcome, known = {}, {key: names(people, key) for key in NAMES if key != "proposals"}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        may = [role for role in Role if role in (rule_of(rule.endpoint) or ())]
        for method in rule.methods or ():
            welcome[method, path] = [role for role in may if role in tokens or not role]
    return Callers(tokens, welcome, known)
