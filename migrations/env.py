"""Runs migrations on the application's own engine, in one transaction."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from kernel.db import db, metadata


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    """Leave the tables of the job queue to the library that owns them."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=_is_ours,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(
        url=current_app.config["SQLALCHEMY_DATABASE_URI"],
        target_metadata=metadata,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    # All of it or nothing: outside migrations a connection is opened without a transaction.
    whole = db.engine.execution_options(isolation_level="READ COMMITTED")
    with whole.connect() as connection:
        _run(connection)
