"""Pages of HTML as PDF, by WeasyPrint: about 10 ms a line, so the worker draws and no request."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kernel.errors import Unavailable

_PROGRESS = logging.getLogger("weasyprint.progress")


def pdf_of(page: str, css: str, tell: Callable[[int], None]) -> bytes:
    """Return `page` as PDF; `tell` hears the number of each sheet of paper as it is laid out.

    Raises Unavailable (pdf_unavailable) where Pango is not installed.
    """
    try:
        # Looked for only now: without Pango the import fails, and all else must still work.
        weasyprint = importlib.import_module("weasyprint")
    except OSError as problem:
        raise Unavailable(code="pdf_unavailable") from problem
    sheet = weasyprint.CSS(string=css, url_fetcher=_no_fetching)
    with _telling(tell):
        made: bytes = weasyprint.HTML(string=page, url_fetcher=_no_fetching).write_pdf(
            stylesheets=[sheet]
        )
    return made


def _no_fetching(url: str, *_args: object, **_more: object) -> dict[str, Any]:
    raise ValueError(f"a document may not fetch {url}")


class _Sheets(logging.Handler):
    """WeasyPrint says in its log how far it has come, and nowhere else."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the number of a sheet that is being laid out."""
        if "Page %d" in str(record.msg) and isinstance(record.args, tuple):
            self._tell(int(str(record.args[0])))


@contextmanager
def _telling(tell: Callable[[int], None]) -> Iterator[None]:
    handler, level = _Sheets(tell), _PROGRESS.level
    _PROGRESS.addHandler(handler)
    _PROGRESS.setLevel(logging.INFO)
    try:
        yield
    finally:
        _PROGRESS.setLevel(level)
        _PROGRESS.removeHandler(handler)
