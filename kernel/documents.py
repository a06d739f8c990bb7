"""Documents that take long to make: a request asks, the worker makes, a later request fetches.

A room says what a document is of, and which `version` of that: while the version is the same,
whoever asks again gets the document that is there or on its way. What one may see of it is for
the room to ask, each time.
"""

from __future__ import annotations

import base64
import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import force_locale
from flask_babel import lazy_gettext as _l
from procrastinate.tasks import Task
from sqlalchemy import CheckConstraint, String, UniqueConstraint, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock, logs
from kernel.crypt import EncryptedText
from kernel.db import Base, SmallKey, choice, db, end_read, transaction
from kernel.errors import Refusal, Text
from kernel.jobs import defer
from kernel.pdf import pdf_of

log = logging.getLogger(__name__)

KEPT = timedelta(days=2)
"""How long a document is kept: it can be made again, and may say where somebody lives."""
LATE = timedelta(minutes=10)
"""After so long whoever asks again is not told to wait: the job may be lost."""
MOST_TRIES = 3
"""A document at which the worker itself dies is given up after so many."""
ONE_AT_A_TIME = "documents"
"""The lock of every such job: the worker's other hand stays free for what the clock asks."""

FAULTS: dict[str, Text] = {
    "pdf_unavailable": _l(
        "这台服务器还不能做 PDF：请管理员安装 Debian 软件包 libpango-1.0-0 和 libpangoft2-1.0-0，"
        "装好后再做一次。现在可以用打印页。"
    ),
    "list_too_long": _l("这张单太长，请用打印页打印。"),
    "given_up": _l("做了几次都中断了，可能太长。请用打印页打印。"),
    "failed": _l("出了错，原因在服务器的日志里。再做一次；还不行，先用打印页，并告诉管理员。"),
}
"""Why a document was not made, and what to do."""


class DocumentState(enum.StrEnum):
    """How far a document has come."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class Document(SmallKey, Base):
    """One document of something in one language; `content` is the file, in base64."""

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("kind", "subject", "language"),
        CheckConstraint("(state = 'ready') = (content IS NOT NULL)", name="made"),
    )

    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(2))
    version: Mapped[str] = mapped_column(String(64))
    state: Mapped[DocumentState] = mapped_column(choice(DocumentState, 10))
    fault: Mapped[str] = mapped_column(String(40), default="")
    tries: Mapped[int] = mapped_column(default=0)
    pages_done: Mapped[int] = mapped_column(default=0)
    pages_expected: Mapped[int] = mapped_column(default=0)
    content: Mapped[str | None] = mapped_column(EncryptedText, deferred=True)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    made_at: Mapped[datetime | None]

    @property
    def is_waiting(self) -> bool:
        """Whether it is still to be made."""
        return self.state is DocumentState.WAITING

    @property
    def is_late(self) -> bool:
        """Whether it waits for so long that something must be wrong."""
        return self.is_waiting and clock.now() - self.asked_at > LATE

    def is_of(self, version: str) -> bool:
        """Tell whether it is made and of this version."""
        return self.state is DocumentState.READY and self.version == version

    @property
    def why(self) -> Text:
        """Why it was not made, and what to do."""
        return FAULTS.get(self.fault, FAULTS["failed"])


@dataclass(frozen=True)
class Of:
    """What a document is of: a kind, the public id of its subject, and the language."""

    kind: str
    subject: str
    language: str


@dataclass(frozen=True)
class Drawing:
    """A document before it is PDF: its HTML and CSS, and how many sheets of paper it may take."""

    page: str
    css: str
    pages: int


def ask(of: Of, version: str, job: Task[Any, Any, Any]) -> None:
    """Have `job` make the document, unless this version of it is there or on its way."""
    with transaction() as session:
        session.execute(
            insert(Document)
            .values(**vars(of), version="", state=DocumentState.FAILED, asked_at=clock.now())
            .on_conflict_do_nothing()
        )
        row = session.scalars(_one(of).with_for_update(), execution_options=_ANEW).one()
        if row.version == version and (row.is_of(version) or (row.is_waiting and not row.is_late)):
            return
        row.version, row.state, row.content = version, DocumentState.WAITING, None
        row.asked_at, row.made_at, row.fault, row.tries = clock.now(), None, "", 0
        row.pages_done = row.pages_expected = 0
        defer(job, lock=ONE_AT_A_TIME, document_id=row.id)


_ANEW = {"populate_existing": True}


def _one(of: Of) -> Any:
    return select(Document).filter_by(**vars(of))


def find(of: Of) -> Document | None:
    """Return how far a document has come, None if nobody asked for it lately."""
    found: Document | None = db.session.scalar(_one(of), execution_options=_ANEW)
    return found


def content_of(document: Document) -> bytes:
    """Return the file of a document that is ready."""
    return base64.b64decode(document.content or "")


def make(document_id: int, draw: Callable[[str], Drawing]) -> None:
    """Make a document that was asked for, of what `draw` says of its subject. Again does nothing.

    Drawing takes long and holds no transaction. A worker that dies over it leaves the document
    waiting, and the job is taken up by another.
    """
    begun = _begin(document_id)
    if begun is None:
        return
    of, version = begun
    try:
        with force_locale(of.language):
            drawing = draw(of.subject)
        _tell(document_id, 0, drawing.pages)
        made = pdf_of(
            drawing.page, drawing.css, lambda page: _tell(document_id, page, drawing.pages)
        )
    except (OperationalError, PoolTimeout):
        raise  # the database is away: the job runs again
    except Refusal as refusal:
        _end(document_id, version, fault=refusal.code)
    except Exception as problem:
        logs.fault(log, "document_not_made", problem, subject=f"{of.kind}:{of.subject}")
        _end(document_id, version, fault="failed")
    else:
        _end(document_id, version, content=base64.b64encode(made).decode())


def _begin(document_id: int) -> tuple[Of, str] | None:
    with transaction() as session:
        row = session.get(Document, document_id, with_for_update=True, populate_existing=True)
        if row is None or not row.is_waiting:
            return None
        if row.tries >= MOST_TRIES:
            row.state, row.fault = DocumentState.FAILED, "given_up"
            return None
        row.tries += 1
        return Of(row.kind, row.subject, row.language), row.version


def _tell(document_id: int, pages: int, expected: int) -> None:
    """Say how far the drawing has come; pages may turn out more than were expected."""
    end_read()
    with transaction() as session:
        session.execute(
            update(Document)
            .where(Document.id == document_id)
            .values(pages_done=pages, pages_expected=max(pages, expected))
        )


def _end(document_id: int, version: str, *, content: str | None = None, fault: str = "") -> None:
    end_read()
    with transaction() as session:
        row = session.get(Document, document_id, with_for_update=True, populate_existing=True)
        # Asked for anew meanwhile, as something else: another job makes that.
        if row is None or not row.is_waiting or row.version != version:
            return
        row.state = DocumentState.FAILED if content is None else DocumentState.READY
        row.content, row.fault, row.made_at = content, fault, clock.now()


def drop_old(at: datetime) -> None:
    """Delete what was asked for longer ago than KEPT."""
    with transaction() as session:
        session.execute(delete(Document).where(Document.asked_at < at - KEPT))
