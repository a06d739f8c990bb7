"""Flask, as this shop uses it: without work that each start or each request would do in vain."""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableMapping
from typing import Any

from flask import Flask
from flask.templating import Environment
from werkzeug.routing import Rule


class Pages(Environment):
    """Flask's templates, with globals in one dict: each import on a page looks through them."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals of a template, which is loaded after all of them are known."""
        return {**self.globals, **(d or {})}


class Route(Rule):
    """A rule that compiles what writes its addresses when somebody first asks for one.

    Werkzeug does so for every rule at once, which was most of the time that building the
    application took; a process writes addresses of few of them.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = functools.cache(super()._compile_builder)

        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build


class Shop(Flask):
    """Flask, without a look at every function of every request whether it is a coroutine."""

    jinja_environment = Pages
    url_rule_class = Route

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func` as it is: nothing here is a coroutine."""
        return func
