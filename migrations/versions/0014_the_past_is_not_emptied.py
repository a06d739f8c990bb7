"""the ledger and the acts refuse TRUNCATE as well, which no trigger of a row ever sees

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Each table, with the function that says why not.
GUARDED = {
    "ledger_transaction": "ledger_is_append_only",
    "posting": "ledger_is_append_only",
    "ledger_seal": "ledger_is_append_only",
    "audit_entry": "acts_are_append_only",
}


def upgrade() -> None:
    for table, refuse in GUARDED.items():
        op.execute(
            f"""
            CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION {refuse}()
            """
        )


def downgrade() -> None:
    for table in GUARDED:
        op.execute(f"DROP TRIGGER {table}_not_emptied ON {table}")
