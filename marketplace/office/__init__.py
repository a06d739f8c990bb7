"""The back office: orders for staff, and the ledger for whoever audits it."""
