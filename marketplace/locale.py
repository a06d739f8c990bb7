"""Which language a visitor reads: what they chose, else what their browser asks, else Chinese."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, get_translations

from marketplace import rooms

LANGUAGES = {"zh": "中文", "en": "English"}
COOKIE = "language"


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
    if "words" not in g:
        g.words = get_translations()
    return g.words


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
        newstyle=True,
    )
    app.context_processor(lambda: {"language": language(), "languages": LANGUAGES})
