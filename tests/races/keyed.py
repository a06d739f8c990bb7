"""Which endpoints act once for a key: found in the code of the views that the URL map names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from flask import Flask

from kernel.idempotency import is_keyed, once, once_within

ROOMS = ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace")
READS = frozenset({"GET", "HEAD", "OPTIONS"})


def writes(app: Flask) -> dict[str, Callable[..., Any]]:
    """Every endpoint that takes a writing method, and its view."""
    return {
        rule.endpoint: app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if (rule.methods or set()) - READS
    }


def acts_once(view: Callable[..., Any]) -> bool:
    """Tell whether a view is marked as keyed, or its code comes to `once` by any way."""
    return is_keyed(view) or _reaches_once(inspect.unwrap(view), set())


def _reaches_once(what: object, seen: set[object]) -> bool:
    if what in (once, once_within):
        return True
    if not isinstance(what, FunctionType) or what in seen or not _is_ours(what):
        return False
    seen.add(what)
    return any(_reaches_once(one, seen) for one in _named_in(what))


def _is_ours(function: FunctionType) -> bool:
    return function.__module__.split(".")[0] in ROOMS


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _named_in(function: FunctionType) -> Iterator[object]:
    """What the code of a function, and of what is defined in it, names."""
    for code in _codes(function.__code__):
        named = [function.__globals__.get(name) for name in code.co_names]
        for one in named:
            yield one
            if isinstance(one, ModuleType):
                yield from (vars(one).get(name) for name in code.co_names)
