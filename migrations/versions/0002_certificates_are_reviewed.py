"""certificates are reviewed: buyers see only what staff accepted

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "certificate",
        sa.Column("state", sa.String(length=10), nullable=False, server_default="pending"),
    )
    op.alter_column("certificate", "state", server_default=None)
    op.add_column(
        "certificate",
        sa.Column("return_reason", sa.String(length=300), nullable=False, server_default=""),
    )
    op.alter_column("certificate", "return_reason", server_default=None)
    op.add_column(
        "certificate", sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("certificate", sa.Column("reviewed_by", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_certificate_reviewed_by"), "certificate", "account", ["reviewed_by"], ["id"]
    )
    # What a seller had shown when it was verified was looked at then; what came later was not.
    op.execute(
        """
        UPDATE certificate c SET state = 'accepted', reviewed_at = s.verified_at,
            reviewed_by = s.verified_by
        FROM seller s WHERE s.id = c.seller_id AND c.created_at <= s.verified_at
        """
    )
    op.create_index(
        "ix_certificate_pending", "certificate", ["id"], postgresql_where="state = 'pending'"
    )


def downgrade() -> None:
    op.drop_index("ix_certificate_pending", table_name="certificate")
    op.drop_constraint(op.f("fk_certificate_reviewed_by"), "certificate", type_="foreignkey")
    for name in ("reviewed_by", "reviewed_at", "return_reason", "state"):
        op.drop_column("certificate", name)
