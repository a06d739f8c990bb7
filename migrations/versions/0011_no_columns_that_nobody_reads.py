"""columns that nobody wrote to or read from are gone

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

EMPTY = sa.text("''")


def upgrade() -> None:
    op.drop_column("orders", "note")
    op.drop_column("buying_unit", "tax_number")


def downgrade() -> None:
    for table, name, length in (("buying_unit", "tax_number", 24), ("orders", "note", 200)):
        op.add_column(
            table, sa.Column(name, sa.String(length), nullable=False, server_default=EMPTY)
        )
        op.alter_column(table, name, server_default=None)
