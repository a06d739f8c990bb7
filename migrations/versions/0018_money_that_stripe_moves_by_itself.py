"""money that Stripe moves without our having asked

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("provider_id", "intent_id"):
        # One refund of Stripe's may stand for several of ours, and go to any intent.
        op.drop_constraint(op.f(f"uq_refund_{name}"), "refund", type_="unique")
        op.create_index(op.f(f"ix_refund_{name}"), "refund", [name])
    op.create_table(
        "provider_look",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_look")),
    )


def downgrade() -> None:
    op.drop_table("provider_look")
    for name in ("intent_id", "provider_id"):
        op.drop_index(op.f(f"ix_refund_{name}"), table_name="refund")
        op.create_unique_constraint(op.f(f"uq_refund_{name}"), "refund", [name])
