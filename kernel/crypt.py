"""Encrypted text columns for what is sensitive: phone, identity number, bank account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryptography.fernet import MultiFernet
from flask import current_app
from sqlalchemy import Column, Table, Text, bindparam, select, type_coerce, update
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from kernel.db import metadata, transaction

RENEWED_AT_ONCE = 500
LEAST_HIDDEN = 4


def _fernet() -> MultiFernet:
    fernet: MultiFernet = current_app.extensions["data_key"]
    return fernet


def encrypt(text: str) -> str:
    """Return what a column of EncryptedText holds of `text`."""
    return _fernet().encrypt(text.encode()).decode()


class EncryptedText(TypeDecorator[str]):
    """Text that is stored encrypted with the installation's data key (Fernet)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else encrypt(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else _fernet().decrypt(str(value).encode()).decode()


def encrypted_columns() -> Iterator[tuple[Table, Column[Any]]]:
    """Yield every encrypted column with its table."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, EncryptedText):
                yield table, column


def renew() -> int:
    """Encrypt everything anew with the first data key; return how many values there were.

    Each batch of rows is a transaction of its own, so it may be stopped and begun again. The
    older keys may go once it has run to its end.
    """
    return sum(_renew_column(table, column) for table, column in encrypted_columns())


def _renew_column(table: Table, column: Column[Any]) -> int:
    [key] = table.primary_key.columns
    raw = type_coerce(column, Text)
    after, done = 0, 0
    change = (
        update(table).where(key == bindparam("of")).values({column: bindparam("to", type_=Text)})
    )
    while True:
        with transaction() as session:
            rows = session.execute(
                select(key, raw)
                .where(key > after, column.is_not(None))
                .order_by(key)
                .limit(RENEWED_AT_ONCE)
                .with_for_update()
            ).all()
            if not rows:
                return done
            renewed = [
                {"of": row[0], "to": _fernet().rotate(row[1].encode()).decode()} for row in rows
            ]
            session.connection().execute(change, renewed)
        after, done = rows[-1][0], done + len(rows)


def mask(text: str | None, *, keep_start: int = 1, keep_end: int = 0) -> str:
    """Return `text` with its middle as stars: 张* for a name, 138****5678 for a phone."""
    if not text:
        return ""
    keep = keep_start + keep_end
    if len(text) < keep + LEAST_HIDDEN:  # a short number would be told by what is shown of it
        return text[:1] + "*" * min(len(text) - 1 or 1, LEAST_HIDDEN)
    end = text[len(text) - keep_end :] if keep_end else ""
    return text[:keep_start] + "*" * LEAST_HIDDEN + end


def mask_phone(phone: str | None) -> str:
    """Return 138****5678."""
    return mask(phone, keep_start=3, keep_end=4)
