"""units keep the time since which they are needed; a refund may go back to another intent

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "order_line", sa.Column("since", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )
    op.add_column("refund", sa.Column("intent_id", sa.String(length=120), nullable=True))
    op.create_unique_constraint(op.f("uq_refund_intent_id"), "refund", ["intent_id"])


def downgrade() -> None:
    op.drop_constraint(op.f("uq_refund_intent_id"), "refund", type_="unique")
    op.drop_column("refund", "intent_id")
    op.drop_column("order_line", "since")
