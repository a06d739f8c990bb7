"""a second factor that is being set up is kept by its page alone, not beside the account

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM second_factor WHERE secret IS NULL")
    op.drop_column("second_factor", "pending")


def downgrade() -> None:
    op.add_column("second_factor", sa.Column("pending", sa.Text(), nullable=True))
