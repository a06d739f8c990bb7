"""What a refused field of JSON is told in the reader's language; marshmallow speaks English."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

_NUMBER = r"(-?[\d.]+)"

_SAYINGS: tuple[tuple[str, LazyString], ...] = (
    (r"Missing data for required field\.", _l("要有这一项。")),
    (r"Field may not be null\.", _l("不能是 null。没有就不写这一项。")),
    (r"Unknown field\.", _l("没有这一项。检查名字，或者去掉它。")),
    (r"Not a valid integer\.", _l("要一个整数。")),
    (r"Not a valid number\.", _l("要一个数。")),
    (r"Number too large\.", _l("这个数太大。")),
    (r"Not a valid string\.", _l("要文字，写在引号里。")),
    (r"Not a valid boolean\.", _l("要 true 或 false。")),
    (r"Not a valid list\.", _l("要一个列表，写在方括号里。")),
    (
        r"(?:Invalid (?:input )?type|Not a valid mapping type)\.",
        _l("要一个 JSON 对象，写在大括号里。"),
    ),
    (r"Not a valid date\.", _l("要一个日期，例如 2026-11-27。")),
    (
        r"Not a valid (?:aware )?datetime\.",
        _l("要一个带时区的时间，例如 2026-11-27T18:00:00+08:00。"),
    ),
    (r"Must be one of: (.+)\.", _l("只能是其中一个：{}。")),
    (
        rf"Must be greater than or equal to {_NUMBER} and less than or equal to {_NUMBER}\.",
        _l("要在 {} 到 {} 之间。"),
    ),
    (rf"Must be greater than or equal to {_NUMBER}\.", _l("不能小于 {}。")),
    (rf"Must be less than or equal to {_NUMBER}\.", _l("不能大于 {}。")),
    (r"Length must be between (\d+) and (\d+)\.", _l("长度要在 {} 到 {} 之间。")),
    (r"Shorter than minimum length (\d+)\.", _l("太短，长度至少是 {}。")),
    (r"Longer than maximum length (\d+)\.", _l("太长，长度最多是 {}。")),
    (r"String does not match expected pattern\.", _l("写法不对。文档里有这一项的写法。")),
)


def in_words(said: Any) -> Any:
    """Return what marshmallow said, in the reader's language and with every name as text.

    A name is a field's, a place in a list, or None for a part without a name. What is not known
    here stays as it is.
    """
    if isinstance(said, dict):
        return {"" if name is None else str(name): in_words(one) for name, one in said.items()}
    if isinstance(said, list | tuple):
        return [in_words(one) for one in said]
    return None if said is None else _translated(str(said))


def _translated(said: str) -> str:
    for pattern, words in _SAYINGS:
        if match := re.fullmatch(pattern, said):
            return str(words).format(*match.groups())
    return said
