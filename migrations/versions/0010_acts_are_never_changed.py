"""acts have one spelling, and the database itself refuses to change or delete what was remembered

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

RENAMED = {
    "seller.verify": "seller_verified",
    "seller.return": "seller_returned",
    "seller.reveal": "seller_revealed",
    "order.reveal": "order_revealed",
    "household.reveal": "household_revealed",
    "certificate.accepted": "certificate_accepted",
    "certificate.returned": "certificate_returned",
    "yield_by_proxy": "yield_entered_by_proxy",
    "confirm_transfer": "transfer_confirmed",
    "repay_debt": "debt_repaid",
    "new_device_key": "device_key_renewed",
    "explain_difference": "difference_explained",
    "factor_taken_away": "factor_removed",
    "recovery_code": "recovery_code_used",
}


def _rename(names: dict[str, str]) -> None:
    change = sa.text("UPDATE audit_entry SET act = :new WHERE act = :old")
    for old, new in names.items():
        op.get_bind().execute(change, {"old": old, "new": new})


def upgrade() -> None:
    _rename(RENAMED)
    op.execute(
        """
        CREATE FUNCTION acts_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what somebody did is never changed: remember another act instead';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION acts_are_append_only()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_entry_append_only ON audit_entry")
    op.execute("DROP FUNCTION acts_are_append_only()")
    _rename({new: old for old, new in RENAMED.items()})
