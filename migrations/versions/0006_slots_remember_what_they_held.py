"""a slot remembers what it held under which number of its device

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slot_fill",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slot_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("units >= 0", name=op.f("ck_slot_fill_units")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_slot_fill_offer_id")),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_slot_fill_slot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_fill")),
    )
    op.create_index(op.f("ix_slot_fill_offer_id"), "slot_fill", ["offer_id"])
    op.create_index("ix_slot_fill_slot", "slot_fill", ["slot_id", "id"])
    # What stands in a slot now was taken for every sale that was reported so far.
    op.execute(
        """
        INSERT INTO slot_fill (slot_id, offer_id, units, since)
        SELECT slot.id, slot.offer_id, 0, cabinet.last_sequence
        FROM slot JOIN cabinet ON cabinet.id = slot.cabinet_id
        WHERE slot.offer_id IS NOT NULL
        """
    )


def downgrade() -> None:
    op.drop_table("slot_fill")
