"""a seller says in its shop how low a broadcast may sell its goods

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offer", sa.Column("broadcast_floor_fen", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_offer_floor"),
        "offer",
        "broadcast_floor_fen IS NULL OR (place = 'shop'"
        " AND 0 < broadcast_floor_fen AND broadcast_floor_fen <= price_fen)",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_offer_floor"), "offer")
    op.drop_column("offer", "broadcast_floor_fen")
