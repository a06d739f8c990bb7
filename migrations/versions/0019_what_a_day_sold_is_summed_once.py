"""what a day sold is summed once, and again when it changes; visits are counted past their rows

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Who changes what a day sold shares a lock on that day until the end of the transaction; who sums
# the day holds it alone. So a sum never misses a change that is under way.
DAY_CHANGED = """
    CREATE FUNCTION day_changed(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE of_day date := (at AT TIME ZONE 'Asia/Shanghai')::date;
    BEGIN
        IF of_day IS NULL THEN RETURN; END IF;
        PERFORM pg_advisory_xact_lock_shared(1901, of_day - DATE '2000-01-01');
        INSERT INTO changed_day (day)
            SELECT day FROM summed_day WHERE day = of_day
            AND NOT EXISTS (SELECT FROM changed_day c WHERE c.day = of_day);
    END $$
"""
# A function for the triggers of each table, and when they call it: (function, its body, triggers).
ONE_ROW = (
    (
        "orders_day_changed",
        """
        IF TG_OP <> 'INSERT' THEN PERFORM day_changed(OLD.paid_at); END IF;
        IF TG_OP <> 'DELETE' THEN PERFORM day_changed(NEW.paid_at); END IF;
        """,
        (
            ("orders", "INSERT", "NEW.paid_at IS NOT NULL"),
            ("orders", "UPDATE", "OLD.paid_at IS DISTINCT FROM NEW.paid_at"),
            ("orders", "DELETE", "OLD.paid_at IS NOT NULL"),
        ),
    ),
    (
        "payment_day_changed",
        """
        IF TG_OP <> 'INSERT' THEN PERFORM day_changed(OLD.captured_at); END IF;
        IF TG_OP <> 'DELETE' THEN PERFORM day_changed(NEW.captured_at); END IF;
        """,
        (
            ("payment", "INSERT", "NEW.captured_at IS NOT NULL"),
            (
                "payment",
                "UPDATE",
                "(OLD.captured_at, OLD.captured_fen)"
                " IS DISTINCT FROM (NEW.captured_at, NEW.captured_fen)",
            ),
            ("payment", "DELETE", "OLD.captured_at IS NOT NULL"),
        ),
    ),
    (
        "line_day_changed",
        "PERFORM day_changed(o.paid_at) FROM orders o WHERE o.id IN (OLD.order_id, NEW.order_id);",
        (
            (
                "order_line",
                "UPDATE",
                "(OLD.order_id, OLD.seller_id, OLD.credit_source_id, OLD.quantity, OLD.amount_fen)"
                " IS DISTINCT FROM"
                " (NEW.order_id, NEW.seller_id, NEW.credit_source_id, NEW.quantity, NEW.amount_fen)",
            ),
        ),
    ),
    (
        "refund_day_changed",
        """
        IF TG_OP <> 'INSERT' THEN
            PERFORM day_changed(o.paid_at) FROM orders o WHERE o.id = OLD.order_id;
            PERFORM day_changed(p.captured_at) FROM payment p WHERE p.id = OLD.payment_id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM day_changed(o.paid_at) FROM orders o WHERE o.id = NEW.order_id;
            PERFORM day_changed(p.captured_at) FROM payment p WHERE p.id = NEW.payment_id;
        END IF;
        """,
        (
            ("refund", "INSERT", "true"),
            (
                "refund",
                "UPDATE",
                "(OLD.payment_id, OLD.order_id, OLD.line_id, OLD.cause, OLD.amount_fen,"
                " OLD.state = 'cut') IS DISTINCT FROM (NEW.payment_id, NEW.order_id, NEW.line_id,"
                " NEW.cause, NEW.amount_fen, NEW.state = 'cut')",
            ),
            ("refund", "DELETE", "true"),
        ),
    ),
)
# Thousands of lines are settled at once: their days are looked up together.
SETTLED = """
    CREATE FUNCTION settlement_day_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM day_changed(days.at) FROM (
            SELECT DISTINCT ON ((o.paid_at AT TIME ZONE 'Asia/Shanghai')::date) o.paid_at AS at
            FROM changed JOIN order_line l ON l.id = changed.line_id
            JOIN orders o ON o.id = l.order_id
        ) days;
        RETURN NULL;
    END $$
"""
EACH_WAY = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    _tables()
    op.execute(DAY_CHANGED)
    for name, body, triggers in ONE_ROW:
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body} RETURN NULL; END $$"
        )
        for table, event, when in triggers:
            op.execute(
                f"CREATE TRIGGER {name}_{event.lower()} AFTER {event} ON {table}"
                f" FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {name}()"
            )
    op.execute(SETTLED)
    for event, side in EACH_WAY.items():
        op.execute(
            f"CREATE TRIGGER settlement_day_changed_{event.lower()} AFTER {event}"
            f" ON settlement_line REFERENCING {side} TABLE AS changed"
            " FOR EACH STATEMENT EXECUTE FUNCTION settlement_day_changed()"
        )
    op.add_column(
        "share_link", sa.Column("past_visits", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.alter_column("share_link", "past_visits", server_default=None)


def _tables() -> None:
    figures = ("orders", "lines", "units", "paid_fen", "refunded_fen", "settled_fen", "assists")
    op.create_table(
        "day_sum",
        sa.Column("of", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in figures),
        sa.PrimaryKeyConstraint("of", "day", "key", name=op.f("pk_day_sum")),
    )
    booked = ("booked_paid_fen", "booked_refunded_fen", "settlements_wrong")
    op.create_table(
        "summed_day",
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in booked),
        sa.Column("summed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_summed_day")),
    )
    op.create_table(
        "changed_day",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changed_day")),
    )
    op.create_index(op.f("ix_changed_day_day"), "changed_day", ["day"])


def downgrade() -> None:
    op.drop_column("share_link", "past_visits")
    op.execute("DROP FUNCTION settlement_day_changed() CASCADE")
    for name, _body, _triggers in ONE_ROW:
        op.execute(f"DROP FUNCTION {name}() CASCADE")
    op.execute("DROP FUNCTION day_changed(timestamptz)")
    for table in ("changed_day", "summed_day", "day_sum"):
        op.drop_table(table)
