"""Logs as lines of JSON, by an allow-list: what is not named here is never written.

No line holds what somebody typed, sent or is called: no message with values, no path, query,
body, cookie or header, and of an error only its type and where in the code it happened.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

FIELDS: Final = (
    "request",  # the request's id, which error pages show
    "method",
    "endpoint",  # the name of the view: its path may hold codes
    "status",
    "ms",
    "account",  # the key of the account, never its login
    "statements",
    "job",  # the name of the job's task
    "job_id",
    "subject",  # a kind and a public id or key
    "reason",  # a word of ours
)
OURS: Final = frozenset({"kernel", "sellers", "orders", "livestream", "cabinets", "marketplace"})
# Its messages are about processes; the template is written, and its numbers.
SERVER: Final = "gunicorn.error"
ROOT: Final = Path(__file__).resolve().parent.parent
PLACES: Final = 6
CAUSES: Final = 3


def say(log: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """Write that `event` (a name of ours, in words_like_this) happened.

    Raises TypeError for a field that FIELDS does not name.
    """
    unknown = fields.keys() - set(FIELDS)
    if unknown:
        raise TypeError(f"not a field of a log: {', '.join(sorted(unknown))}")
    if log.isEnabledFor(level):
        log.log(level, event, extra={"said": fields}, stacklevel=2)


def fault(log: logging.Logger, event: str, error: BaseException, **fields: Any) -> None:
    """Write that `error` came to nobody's hands: its type and its places, not its words."""
    told = {name: value for name, value in fields.items() if name in FIELDS}
    log.error(event, exc_info=error, extra={"said": told}, stacklevel=2)


_JSON: Final = json.JSONEncoder(ensure_ascii=False, default=lambda one: type(one).__name__)


class Lines(logging.Formatter):
    """Makes one line of JSON of a record, whoever wrote it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: what is on the list, and nothing else."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower()}
        said = getattr(record, "said", None)
        if said is not None:
            line["event"] = record.msg
            line |= said
        else:
            line |= _of_another(record)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _causes(record.exc_info[1])
        return _JSON.encode(line)


def _of_another(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line says of a library's record: who wrote it, and where; not its words."""
    line: dict[str, Any] = {
        "event": record.name,
        "at": f"{Path(record.pathname).name}:{record.lineno}",
    }
    job = getattr(record, "job", None)
    if isinstance(job, dict):  # procrastinate's; its arguments stay out
        line |= {"job": job.get("task_name"), "job_id": job.get("id")}
    # With values beside it, the text is a template; without them they may already be in it.
    if record.name == SERVER and isinstance(record.msg, str) and isinstance(record.args, tuple):
        line["template"] = record.msg[:200] if record.args else ""
        line["numbers"] = [one for one in record.args if isinstance(one, int)]
    return line


def _causes(error: BaseException) -> list[dict[str, Any]]:
    """Return the error and what caused it, the first cause last."""
    told: list[dict[str, Any]] = []
    one: BaseException | None = error
    while one is not None and len(told) < CAUSES:
        told.append({"type": f"{type(one).__module__}.{type(one).__qualname__}", **_state(one)})
        told[-1]["places"] = _places(one.__traceback__)
        one = one.__cause__ or one.__context__
    return told


def _state(error: BaseException) -> dict[str, str]:
    """Return what PostgreSQL calls the error, and the constraint that it is about."""
    original = getattr(error, "orig", error)
    state = getattr(original, "sqlstate", None)
    if not isinstance(state, str):
        return {}
    constraint = getattr(getattr(original, "diag", None), "constraint_name", None)
    return {"sqlstate": state, **({"constraint": constraint} if constraint else {})}


def _places(trace: TracebackType | None) -> list[str]:
    """Return the last places in the code, the innermost first; ours before those of libraries."""
    found = []
    for frame, line in traceback.walk_tb(trace):
        path = Path(frame.f_code.co_filename)
        mine = path.is_relative_to(ROOT) and ".venv" not in path.parts
        name = path.relative_to(ROOT) if mine else Path(*path.parts[-2:])
        found.append((mine, f"{name}:{line} {frame.f_code.co_name}"))
    own = [place for mine, place in found if mine]
    innermost = found[-1][1] if found else ""
    return list(dict.fromkeys([innermost, *reversed(own[-PLACES:])])) if found else []


def worth_it(record: logging.LogRecord) -> bool:
    """Tell whether a record is kept: ours from INFO, the server's too, a library's warnings."""
    if record.levelno >= logging.WARNING or record.name == SERVER:
        return True
    return record.levelno >= logging.INFO and record.name.partition(".")[0] in OURS


def handler(stream: TextIO | None = None) -> logging.Handler:
    """Return what writes lines to `stream` (standard error)."""
    made = logging.StreamHandler(stream or sys.stderr)
    made.setFormatter(Lines())
    made.addFilter(worth_it)
    return made


def begin() -> None:
    """Let everything that this process logs go out as lines; what nobody caught, too."""
    root = logging.getLogger()
    root.handlers[:] = [handler()]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    # What a line does not show need not be found out for every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.raiseExceptions = False


def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Take the place of `sys.excepthook` in a process that has nobody at its terminal."""
    fault(logging.getLogger("kernel.logs"), "process_ended_by_error", error)
