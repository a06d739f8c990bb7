"""A spreadsheet's way: uploaded, read by a job, looked at, then loaded by a job."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select, update

from kernel import clock
from kernel.access import found
from kernel.db import db, transaction
from kernel.errors import Conflict, Refusal
from sellers.actions import (
    LotFacts,
    OfferTerms,
    ProductFacts,
    add_lot,
    add_product,
    list_offer,
)
from sellers.imports.reading import check_file, read_workbook
from sellers.model import Category, ImportState, LotMode, OfferImport, Place, Product

TELL_EVERY_ROWS = 50


def take_spreadsheet(seller_id: int, account_id: int, data: bytes, name: str) -> OfferImport:
    """Keep an uploaded spreadsheet for the job that reads it, and return its import.

    Raises Invalid for what is no .xlsx, too large, or unpacks to too much.
    """
    check_file(data)
    with transaction() as session:
        taken = OfferImport(
            seller_id=seller_id,
            account_id=account_id,
            file_name=Path(name).name[:200] or "stock.xlsx",
            content=data,
        )
        session.add(taken)
        session.flush()
    return taken


def read_spreadsheet(import_id: int) -> None:
    """Read the file into rows and faults. Again does nothing."""
    with transaction() as session:
        taken = session.get(OfferImport, import_id, with_for_update=True, populate_existing=True)
        if taken is None or taken.state is not ImportState.READING or taken.content is None:
            return
        taken.rows, taken.faults = read_workbook(taken.content, clock.today())
        taken.rows_total = len(taken.rows) + len({f["line"] for f in taken.faults if f["column"]})
        taken.content = None
        if taken.faults:
            taken.state, taken.finished_at = ImportState.FAILED, clock.now()
        else:
            taken.state = ImportState.PREVIEW


def confirm_spreadsheet(import_id: int) -> OfferImport:
    """Ask for the rows to be put on sale, and return the import. Raises Conflict twice."""
    with transaction() as session:
        taken = found(
            session.get(OfferImport, import_id, with_for_update=True, populate_existing=True)
        )
        if taken.state is not ImportState.PREVIEW:
            raise Conflict(_l("这个表格已经处理过了。刷新后再看。"), code="import_not_waiting")
        taken.state = ImportState.LOADING
        taken.rows_done = 0
    return taken


def load_spreadsheet(import_id: int) -> None:
    """Put all rows on sale, or none. Again does nothing.

    A refusal (the seller is no longer verified) leaves nothing behind but its words.
    """
    try:
        with transaction() as session:
            # The row itself stays free, so that progress can be told beside this transaction.
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext("import"), import_id)))
            taken = session.get(OfferImport, import_id, populate_existing=True)
            if taken is None or taken.state is not ImportState.LOADING:
                return
            _load(taken)
            session.execute(
                update(OfferImport)
                .where(OfferImport.id == import_id)
                .values(
                    state=ImportState.DONE,
                    rows_done=OfferImport.rows_total,
                    finished_at=clock.now(),
                )
            )
    except Refusal as refusal:
        _fail(import_id, str(refusal.message))


def _load(taken: OfferImport) -> None:
    known: dict[tuple[Any, ...], int] = {}
    for product in db.session.scalars(select(Product).where(Product.seller_id == taken.seller_id)):
        known.setdefault(_key_of(product), product.id)
    seller_id, import_id = taken.seller_id, taken.id
    for done, row in enumerate(list(taken.rows), start=1):
        facts = ProductFacts(
            category=Category(row["category"]),
            **{
                k: row[k] for k in ("name_zh", "name_en", "variety", "grade", "unit_name", "unit_g")
            },
        )
        product_id = known.get(_key_of(facts))
        if product_id is None:
            product_id = known[_key_of(facts)] = add_product(seller_id, facts).id
        lot = LotFacts(
            mode=LotMode(row["mode"]),
            offered=row["offered"],
            harvest_from=_day(row["harvest_from"]),
            harvest_to=_day(row["harvest_to"]),
        )
        terms = OfferTerms(
            price_fen=row["price_fen"],
            limit_per_buyer=row["limit_per_buyer"],
            # A row that was read before there was such a column has none.
            broadcast_floor_fen=row.get("broadcast_floor_fen"),
            closes_at=_end_of(row["closes_on"]),
        )
        list_offer(add_lot(product_id, lot).id, Place.SHOP, terms)
        if done % TELL_EVERY_ROWS == 0:
            _tell(import_id, done)


def _key_of(product: Product | ProductFacts) -> tuple[Any, ...]:
    """What makes two rows speak of the same product."""
    return (
        product.name_zh,
        product.variety,
        product.grade,
        product.unit_name,
        product.unit_g,
        product.category,
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _end_of(text: str | None) -> Any:
    day = _day(text)
    return clock.start_of_day(day + timedelta(days=1)) if day else None


def _tell(import_id: int, done: int) -> None:
    """Say how far the loading has come, outside its transaction so that others can see it."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as beside:
        beside.execute(
            update(OfferImport).where(OfferImport.id == import_id).values(rows_done=done)
        )


def _fail(import_id: int, why: str) -> None:
    with transaction() as session:
        taken = session.get(OfferImport, import_id, with_for_update=True, populate_existing=True)
        if taken is None or taken.state is not ImportState.LOADING:
            return
        taken.state, taken.finished_at, taken.rows_done = ImportState.FAILED, clock.now(), 0
        taken.faults = [
            {"line": 0, "column": "", "value": "", "fault": "load_refused", "with": {"why": why}}
        ]
