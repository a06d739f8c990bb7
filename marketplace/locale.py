"""Which language a visitor reads: what they chose, else what their browser asks, else Chinese."""

from __future__ import annotations

from flask import Flask, has_request_context, request, session
from flask_babel import Babel

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


def init_app(app: Flask) -> None:
    """Set up translations from every package's own catalogue."""
    app.config.update(
        BABEL_DEFAULT_LOCALE="zh",
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
        BABEL_TRANSLATION_DIRECTORIES=";".join(str(path) for path in rooms.TRANSLATIONS),
    )
    Babel(app, locale_selector=language, timezone_selector=lambda: "Asia/Shanghai")
    app.context_processor(lambda: {"language": language(), "languages": LANGUAGES})
