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
    op.create_table(
        "dispute",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_dispute_amount")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_dispute_payment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_dispute_provider_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_dispute_public_id")),
    )
    op.create_index(op.f("ix_dispute_payment_id"), "dispute", ["payment_id"])
    op.add_column("refund", sa.Column("dispute_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_refund_dispute_id"), "refund", "dispute", ["dispute_id"], ["id"]
    )


def downgrade() -> None:
    op.drop_column("refund", "dispute_id")
    op.drop_table("dispute")
    op.drop_table("provider_look")
    for name in ("intent_id", "provider_id"):
        op.drop_index(op.f(f"ix_refund_{name}"), table_name="refund")
        op.create_unique_constraint(op.f(f"uq_refund_{name}"), "refund", [name])
