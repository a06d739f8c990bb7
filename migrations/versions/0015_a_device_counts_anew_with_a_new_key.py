"""a device counts from one again with each new key

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "cabinet", sa.Column("counted_from", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.alter_column("cabinet", "counted_from", server_default=None)
    op.create_check_constraint(
        op.f("ck_cabinet_count"), "cabinet", "0 <= counted_from AND counted_from <= last_sequence"
    )


def downgrade() -> None:
    op.drop_column("cabinet", "counted_from")
