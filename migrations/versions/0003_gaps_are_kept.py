"""what a device has not reported is kept as it reports, instead of searched for

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "cabinet", sa.Column("last_sequence", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.alter_column("cabinet", "last_sequence", server_default=None)
    op.create_table(
        "report_gap",
        sa.Column("cabinet_id", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("0 < first AND first <= last", name=op.f("ck_report_gap_span")),
        sa.ForeignKeyConstraint(
            ["cabinet_id"], ["cabinet.id"], name=op.f("fk_report_gap_cabinet_id")
        ),
        sa.PrimaryKeyConstraint("cabinet_id", "first", name=op.f("pk_report_gap")),
    )
    op.execute(
        """
        UPDATE cabinet SET last_sequence = known.last
        FROM (
            SELECT cabinet_id, max(sequence) AS last FROM device_report
            WHERE NOT conflicting GROUP BY cabinet_id
        ) AS known
        WHERE known.cabinet_id = cabinet.id
        """
    )
    op.execute(
        """
        INSERT INTO report_gap (cabinet_id, first, last)
        SELECT cabinet_id, before + 1, sequence - 1 FROM (
            SELECT cabinet_id, sequence,
                lag(sequence, 1, 0::bigint)
                    OVER (PARTITION BY cabinet_id ORDER BY sequence) AS before
            FROM device_report WHERE NOT conflicting
        ) AS known
        WHERE sequence > before + 1
        """
    )


def downgrade() -> None:
    op.drop_table("report_gap")
    op.drop_column("cabinet", "last_sequence")
