"""payments of a period are found by when they were captured

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_payment_captured",
        "payment",
        ["captured_at"],
        postgresql_where="captured_at IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_index("ix_payment_captured", table_name="payment")
