"""Rows without which nothing could be sold: the shop as a credit source, the first windows."""

from __future__ import annotations

FIRST_ROWS = (
    """
    INSERT INTO credit_source (kind, code, title_zh, title_en)
    VALUES ('shop', 'shop', '商城', 'Shop') ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO credit_window (kind, days, valid_from)
    VALUES ('broadcast', 14, '2020-01-01 00:00:00+08'), ('share', 14, '2020-01-01 00:00:00+08')
    ON CONFLICT DO NOTHING
    """,
)
"""Statements that may run again. Windows are versioned: a new one is a new row."""
