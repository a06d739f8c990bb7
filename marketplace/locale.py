"""Which language a visitor reads: what they chose, else what their browser asks, else Chinese."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, get_translations
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from jinja2.runtime import Context

from kernel.language import inside
from marketplace import rooms

LANGUAGES = {"zh": "中文", "en": "English"}
COOKIE = "language"
SAYINGS_KEPT = 4096
"""How many sayings a worker remembers, in both languages: more than all templates have."""


def language() -> str:
    """Return 'zh' or 'en' for this request."""
    if not has_request_context():
        return "zh"
    chosen = session.get(COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(list(LANGUAGES), default="zh") or "zh"


def _words() -> Any:
    """Return the catalogue in which this request is answered."""
    try:
        return g.words
    except AttributeError:
        g.words = get_translations()
        return g.words


def _remembering(say: Callable[..., str], page: Context) -> Callable[..., str]:
    """Return `_` for templates: Jinja's own `say`, remembered for what has no values to put in.

    Whatever asks for a template's context is given a new one in every block and loop, which
    takes longer than the saying; so each says it on an empty `page`.
    """
    known: dict[tuple[Any, str], str] = {}

    @pass_eval_context
    def said(context: EvalContext, one: str, /, **values: Any) -> str:
        words = _words()
        if not context.autoescape:
            return str(words.gettext(one) % values)
        if values:
            return say(page, one, **inside(words.gettext(one), values))
        text = known.get((words, one))
        if text is None:
            text = say(page, one)
            if len(known) < SAYINGS_KEPT:
                known[words, one] = text
        return text

    return said


def init_app(app: Flask) -> None:
    """Set up translations from every package's own catalogue."""
    app.config.update(
        BABEL_DEFAULT_LOCALE="zh",
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
        BABEL_TRANSLATION_DIRECTORIES=";".join(str(path) for path in rooms.TRANSLATIONS),
    )
    Babel(app, locale_selector=language, timezone_selector=lambda: "Asia/Shanghai")
    # A page says some hundred things: its language is found out once, not for each of them.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # jinja2.ext.i18n has it
        gettext=lambda one: _words().gettext(one),
        ngettext=lambda one, many, number: _words().ngettext(one, many, number),
        pgettext=lambda context, one: _words().pgettext(context, one),
        newstyle=True,
    )
    say: Any = app.jinja_env.globals["gettext"]
    app.jinja_env.globals["_"] = _remembering(say, app.jinja_env.from_string("").new_context())
    app.context_processor(lambda: {"language": language(), "languages": LANGUAGES})
