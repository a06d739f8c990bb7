"""sessions as rows, tries counted by gate, second factors, and what waits for a second person

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _time(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def upgrade() -> None:
    op.drop_table("sign_in_try")
    op.create_table(
        "throttle",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        _time("last_at"),
        _time("closed_until", nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle")),
    )
    op.create_index(op.f("ix_throttle_last_at"), "throttle", ["last_at"])
    op.create_table(
        "web_session",
        _id(),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("session_epoch", sa.BigInteger(), nullable=False),
        sa.Column("seats_hash", sa.String(length=16), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        _time("factor_at", nullable=True),
        _time("created_at"),
        _time("seen_at"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_web_session_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_web_session_key_hash")),
        sa.UniqueConstraint("public_id", name=op.f("uq_web_session_public_id")),
    )
    op.create_index(op.f("ix_web_session_account_id"), "web_session", ["account_id"])
    op.create_index(op.f("ix_web_session_seen_at"), "web_session", ["seen_at"])

    op.add_column("api_token", sa.Column("public_id", sa.String(length=16), nullable=True))
    op.execute("UPDATE api_token SET public_id = substr(md5(random()::text || id), 1, 16)")
    op.alter_column("api_token", "public_id", nullable=False)
    op.create_unique_constraint(op.f("uq_api_token_public_id"), "api_token", ["public_id"])
    op.add_column(
        "api_token", sa.Column("label", sa.String(length=40), server_default="", nullable=False)
    )
    op.add_column("api_token", _time("factor_at", nullable=True))

    op.create_table(
        "second_factor",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("pending", sa.Text(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _time("enrolled_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_second_factor_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        _id(),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        _time("used_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_recovery_code_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_code_code_hash")),
    )
    op.create_index(op.f("ix_recovery_code_account_id"), "recovery_code", ["account_id"])

    op.create_table(
        "proposal",
        _id(),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_by", sa.BigInteger(), nullable=False),
        _time("proposed_at"),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        _time("decided_at", nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "state <> 'approved' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)",
            name=op.f("ck_proposal_two_people"),
        ),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at IS NULL)", name=op.f("ck_proposal_decided")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["account.id"], name=op.f("fk_proposal_proposed_by")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["account.id"], name=op.f("fk_proposal_decided_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        sa.UniqueConstraint("public_id", name=op.f("uq_proposal_public_id")),
    )
    op.create_index("ix_proposal_subject", "proposal", ["kind", "subject", "id"])
    op.create_index(
        "uq_proposal_open",
        "proposal",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    for table in ("proposal", "recovery_code", "second_factor", "web_session", "throttle"):
        op.drop_table(table)
    for column in ("factor_at", "label", "public_id"):
        op.drop_column("api_token", column)
    op.create_table(
        "sign_in_try",
        _id(),
        sa.Column("login", sa.String(length=80), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        _time("tried_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_try")),
    )
    op.create_index("ix_sign_in_try_address", "sign_in_try", ["address_hash", "tried_at"])
    op.create_index("ix_sign_in_try_login", "sign_in_try", ["login", "tried_at"])
