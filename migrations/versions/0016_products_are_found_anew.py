"""a product knows in which way its search terms were made

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "product", sa.Column("terms_rule", sa.SmallInteger(), nullable=False, server_default="0")
    )
    op.create_index("ix_product_terms_rule", "product", ["terms_rule"])


def downgrade() -> None:
    op.drop_index("ix_product_terms_rule", table_name="product")
    op.drop_column("product", "terms_rule")
