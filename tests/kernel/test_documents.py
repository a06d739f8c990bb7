"""Documents are asked for in a request and made by the worker: once for each state of a thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_babel import gettext
from procrastinate.tasks import Task
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from kernel import clock, documents
from kernel.db import db, transaction
from kernel.documents import Document, Drawing, Of
from kernel.errors import Conflict
from kernel.jobs import jobs, task

LIST = Of("list", "abc", "zh")
JOB = "tests.make_document"


@pytest.fixture
def job(app: Flask) -> Iterator[Task[Any, Any, Any]]:
    """A job that would make the documents, inside the application's context."""

    @task(name=JOB)
    def make(document_id: int) -> None:
        """Never run here: the tests make by themselves."""

    with app.app_context():
        yield make
    del jobs.tasks[JOB]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that were turned into PDF; the drawing itself is not done."""
    pages: list[str] = []

    def pdf_of(page: str, _css: str, tell: Callable[[int], None]) -> bytes:
        pages.append(page)
        tell(1)
        return f"%PDF-{page}".encode()

    monkeypatch.setattr(documents, "pdf_of", pdf_of)
    return pages


def draw(subject: str) -> Drawing:
    return Drawing(f"{gettext('打印')} {subject}", "", 2)


def waiting() -> list[int]:
    """Which documents a job waits for."""
    db.session.rollback()
    asked = text("SELECT (args->>'document_id')::int FROM procrastinate_jobs ORDER BY id")
    return list(db.session.scalars(asked))


def found(of: Of = LIST) -> Document:
    db.session.rollback()
    row = documents.find(of)
    assert row is not None
    return row


def ask_and_make(job: Task[Any, Any, Any], version: str = "1", of: Of = LIST) -> Document:
    documents.ask(of, version, job)
    documents.make(found(of).id, draw)
    return found(of)


def test_while_it_is_on_its_way_or_of_the_same_version_there_is_one(
    job: Task[Any, Any, Any], drawn: list[str]
) -> None:
    documents.ask(LIST, "1", job)
    documents.ask(LIST, "1", job)
    assert waiting() == [found().id]
    documents.make(found().id, draw)
    documents.make(found().id, draw)
    made = found()
    assert (made.is_of("1"), made.is_of("2"), len(drawn)) == (True, False, 1)
    documents.ask(LIST, "1", job)
    assert (found().made_at, len(waiting())) == (made.made_at, 1)
    assert documents.content_of(found()) == "%PDF-打印 abc".encode()


def test_another_version_is_made_anew_and_the_old_file_is_gone_at_once(
    job: Task[Any, Any, Any], drawn: list[str]
) -> None:
    ask_and_make(job, "1")
    documents.ask(LIST, "2", job)
    asked = found()
    assert (asked.is_waiting, asked.content, len(waiting())) == (True, None, 2)
    documents.make(asked.id, draw)
    assert (found().is_of("2"), len(drawn)) == (True, 2)


def test_each_language_has_its_own(job: Task[Any, Any, Any], drawn: list[str]) -> None:
    ask_and_make(job)
    ask_and_make(job, of=Of("list", "abc", "en"))
    assert drawn == ["打印 abc", "Print abc"]


def test_what_was_begun_for_an_older_version_is_not_taken_for_the_newer(
    job: Task[Any, Any, Any], drawn: list[str]
) -> None:
    def changed_meanwhile(subject: str) -> Drawing:
        documents.ask(LIST, "2", job)
        return draw(subject)

    documents.ask(LIST, "1", job)
    documents.make(found().id, changed_meanwhile)
    assert found().is_waiting
    documents.make(found().id, draw)
    assert found().is_of("2")


def test_its_content_is_encrypted(job: Task[Any, Any, Any], drawn: list[str]) -> None:
    ask_and_make(job)
    [(kept,)] = db.session.execute(text("SELECT content FROM document")).all()
    assert kept.startswith("gAAAA")


def test_a_document_at_which_the_worker_dies_is_begun_again_and_at_last_given_up(
    job: Task[Any, Any, Any], drawn: list[str]
) -> None:
    def killed(_subject: str) -> Drawing:
        raise SystemExit

    documents.ask(LIST, "1", job)
    for _ in range(documents.MOST_TRIES):
        assert found().is_waiting
        with pytest.raises(SystemExit):
            documents.make(found().id, killed)
    documents.make(found().id, draw)
    assert (found().is_waiting, found().fault, drawn) == (False, "given_up", [])
    assert ask_and_make(job).is_of("1")


def test_a_document_waits_on_while_the_database_is_away(
    job: Task[Any, Any, Any], drawn: list[str]
) -> None:
    def cut_off(_subject: str) -> Drawing:
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    documents.ask(LIST, "1", job)
    with pytest.raises(OperationalError):
        documents.make(found().id, cut_off)
    assert found().is_waiting


@pytest.mark.parametrize(
    ("error", "fault"), [(Conflict(code="list_too_long"), "list_too_long"), (KeyError(), "failed")]
)
def test_what_cannot_be_made_says_why_and_can_be_asked_for_again(
    job: Task[Any, Any, Any], drawn: list[str], error: Exception, fault: str
) -> None:
    def wrong(_subject: str) -> Drawing:
        raise error

    documents.ask(LIST, "1", job)
    documents.make(found().id, wrong)
    assert (found().is_waiting, found().fault) == (False, fault)
    assert found().why == documents.FAULTS[fault]
    assert ask_and_make(job).is_of("1")


def test_how_far_it_has_come_is_seen_by_others(
    job: Task[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def pdf_of(_page: str, _css: str, tell: Callable[[int], None]) -> bytes:
        for page in (1, 2, 3):
            tell(page)
            with db.engine.connect() as beside:
                row = beside.execute(text("SELECT pages_done, pages_expected FROM document"))
                seen.extend((done, expected) for done, expected in row)
        return b"%PDF-"

    monkeypatch.setattr(documents, "pdf_of", pdf_of)
    ask_and_make(job)
    assert seen == [(1, 2), (2, 2), (3, 3)]


def test_whoever_waits_too_long_may_ask_again(job: Task[Any, Any, Any], drawn: list[str]) -> None:
    with clock.moved(-documents.LATE - timedelta(seconds=5)):
        documents.ask(LIST, "1", job)
    assert found().is_late
    documents.ask(LIST, "1", job)
    assert (found().is_late, len(waiting())) == (False, 2)


def test_old_documents_are_deleted_and_young_ones_kept(
    job: Task[Any, Any, Any], drawn: list[str]
) -> None:
    with clock.moved(-documents.KEPT - timedelta(seconds=5)):
        ask_and_make(job)
    young = ask_and_make(job, of=Of("list", "def", "zh")).id
    documents.drop_old(clock.now())
    with transaction() as session:
        assert [row.id for row in session.query(Document)] == [young]
