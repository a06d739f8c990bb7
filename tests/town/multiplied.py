"""A small town's rows a thousand times: long lists, and long lists in what they name.

Built step by step, a town of a thousand takes half an hour. Here PostgreSQL copies the rows of
a small one: whole chains (an order with its lines, payment, consignment …), and for every table
whose rows belong to others, so many more under the one that was there. Copies have negative
keys, so that of two made at the same moment the first one is the newer.

Laws and triggers rest meanwhile: such a town is for reading.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column, String, Table, UniqueConstraint

from kernel.db import db

FURTHER = 100_000
"""A copy's key is so much further away than its original's, times its number."""
APART = 10_000
"""So far apart are the numbers of copies of one kind and the next."""
KINDS = 9

STAY = {"account", "organisation", "seller", "buying_unit", "ledger_book"}
"""What belongs to these still does when it is copied …"""
GO_ALONG = {("membership", "account_id")}
"""… but for these, which have one of a kind."""
GO_ALONG_UNDER = {("orders", "group_order_id"): {"account_id"}}
"""Many under one of these belong to many."""
NEVER_BARE = {"consignment"}
"""What is never without others that belong to it."""
COUNTED_TOO = {("report_gap", "last")}
"""Numbers that rise together with one that no two rows share."""
WORDS = {"kind", "language", "role", "cause", "platform", "buyer", "state"}
"""Text that means something and is not changed."""


def multiply(connection: psycopg.Connection, rows: int, leave: Collection[str]) -> None:
    """Copy what stands in every table, but those to `leave`, until there are `rows` of each."""
    connection.execute("SET session_replication_role = replica")
    for table in db.metadata.sorted_tables:
        if table.name not in leave:
            connection.execute(_copies(table), {"copies": rows - 1})
    connection.execute("RESET session_replication_role")
    connection.execute("ANALYZE")


def _copies(table: Table) -> sql.Composed:
    """The statement that copies a table's rows, once for every way in which they can differ."""
    ways: list[tuple[set[str], str | None]] = [(_pointing(table), None)]
    if table.name not in NEVER_BARE:
        ways += [(_under(table, above), above) for above in _can_stand_under(table)]
    selects = [
        sql.SQL("SELECT {} FROM {}, generate_series(1, %(copies)s::bigint) copy WHERE {}").format(
            sql.SQL(", ").join(_value(column, moving, kind) for column in table.columns),
            sql.Identifier(table.name),
            _differs(table, moving, above),
        )
        for kind, (moving, above) in enumerate(ways)
    ]
    return sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE {}").format(
        sql.Identifier(table.name),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns),
        sql.SQL(" UNION ALL ").join(selects),
    )


def _pointing(table: Table) -> set[str]:
    """The columns that point to copies, when whole chains are copied."""
    return {
        column.name
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name not in STAY
        or column.primary_key
        or (table.name, column.name) in GO_ALONG
    }


def _under(table: Table, above: str) -> set[str]:
    """The columns that point to copies, when the copies stand under the first row above."""
    return _pointing(table) - {above} | GO_ALONG_UNDER.get((table.name, above), set())


def _can_stand_under(table: Table) -> list[str]:
    """The columns under whose row there can be more than one."""
    counted = {column.name for column in table.columns if _is_counted(column)}
    return [
        above
        for above in sorted(_pointing(table))
        if not table.c[above].primary_key
        and all(
            unique & counted or (above in unique and unique & _under(table, above))
            for unique in _uniques(table)
        )
    ]


def _uniques(table: Table) -> list[set[str]]:
    """Each set of columns whose values no two rows share."""
    found = [{column.name for column in table.primary_key.columns}]
    found += [{column.name for column in each.columns} for each in table.indexes if each.unique]
    found += [
        {column.name for column in each.columns}
        for each in table.constraints
        if isinstance(each, UniqueConstraint)
    ]
    return found


def _is_counted(column: Column[Any]) -> bool:
    """Tell whether every row has a value of its own in a column that points nowhere."""
    if column.foreign_keys or column.name in WORDS:
        return False
    unique = any(column.name in each for each in _uniques(column.table))
    return unique or (column.table.name, column.name) in COUNTED_TOO


def _differs(table: Table, moving: set[str], above: str | None) -> sql.Composable:
    """The rows of which copies under the same row above are different from each other."""
    if above is None:
        return sql.SQL("true")
    wanted = [{above}] + [unique & moving for unique in _uniques(table) if above in unique]
    return sql.SQL(" AND ").join(
        sql.SQL("num_nonnulls({}) > 0").format(sql.SQL(", ").join(map(sql.Identifier, some)))
        for some in wanted
        if some
    )


def _value(column: Column[Any], moving: set[str], kind: int) -> sql.Composable:
    """What stands in a column of a copy."""
    name = sql.Identifier(column.table.name, column.name)
    if column.name in moving:
        return sql.SQL("{} - (copy + {}) * {}").format(name, KINDS * APART, FURTHER)
    if not _is_counted(column):
        return name
    number = sql.SQL("(copy + {})").format((KINDS - kind) * APART)
    if isinstance(column.type, String):
        least = min(12, column.type.length or 12)
        return sql.SQL("left(md5({0} || ':' || {1}), greatest({2}, char_length({0})))").format(
            name, number, least
        )
    if column.name == "id":
        return sql.SQL("{} - {} * {}").format(name, number, FURTHER)
    return sql.SQL("{} + {} * 100").format(name, number)
