"""what is open is found by itself, however much was done before

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

OPEN = "settled_at IS NULL AND state IN ('confirmed', 'handed')"


def upgrade() -> None:
    op.add_column("orders", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """
        UPDATE orders SET settled_at = done.at
        FROM (
            SELECT line.order_id, max(settlement.stated_at) AS at
            FROM order_line line
            LEFT JOIN settlement_line stated ON stated.line_id = line.id
            LEFT JOIN settlement ON settlement.id = stated.settlement_id
            WHERE coalesce(line.allocated, line.quantity) > 0
            GROUP BY line.order_id
            HAVING count(*) = count(stated.id)
        ) done
        WHERE orders.id = done.order_id
        """
    )
    op.create_index("ix_orders_unsettled", "orders", ["id"], postgresql_where=OPEN)
    op.create_index("ix_orders_state", "orders", ["state", "id"])
    op.create_index(
        "ix_slot_event_units", "slot_event", ["slot_id"], postgresql_include=["units"]
    )
    op.create_index(
        "ix_ledger_transaction_about",
        "ledger_transaction",
        [sa.text("split_part(reference, ':', 1) text_pattern_ops")],
    )


def downgrade() -> None:
    op.drop_index("ix_ledger_transaction_about", table_name="ledger_transaction")
    op.drop_index("ix_slot_event_units", table_name="slot_event")
    op.drop_index("ix_orders_state", table_name="orders")
    op.drop_index("ix_orders_unsettled", table_name="orders")
    op.drop_column("orders", "settled_at")
