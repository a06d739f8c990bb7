"""nobody is paid to a seller's bank account before staff confirmed it

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PEOPLE = ("bank_changed_by", "bank_checked_by")
MOMENTS = ("bank_changed_at", "bank_checked_at")


def upgrade() -> None:
    for name in MOMENTS:
        op.add_column("seller", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in PEOPLE:
        op.add_column("seller", sa.Column(name, sa.BigInteger(), nullable=True))
        op.create_foreign_key(op.f(f"fk_seller_{name}"), "seller", "account", [name], ["id"])
    # Nobody has looked at the accounts that are there: each waits for staff once.
    op.execute("UPDATE seller SET bank_changed_at = now() WHERE bank_account IS NOT NULL")
    op.create_check_constraint(
        op.f("ck_seller_bank_changed"),
        "seller",
        "(bank_account IS NULL) = (bank_changed_at IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_seller_bank_two_people"), "seller", "bank_checked_by <> bank_changed_by"
    )
    op.create_index(
        "ix_seller_bank_waits",
        "seller",
        ["id"],
        postgresql_where="bank_changed_at IS NOT NULL AND bank_checked_at IS NULL",
    )


def downgrade() -> None:
    op.drop_index("ix_seller_bank_waits", table_name="seller")
    for name in ("bank_two_people", "bank_changed"):
        op.drop_constraint(op.f(f"ck_seller_{name}"), "seller", type_="check")
    for name in PEOPLE:
        op.drop_constraint(op.f(f"fk_seller_{name}"), "seller", type_="foreignkey")
    for name in (*PEOPLE, *MOMENTS):
        op.drop_column("seller", name)
