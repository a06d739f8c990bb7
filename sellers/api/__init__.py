"""JSON for sellers: the same actions as the pages."""

from sellers.api import households, imports, registration, stock, verification
from sellers.api.room import blueprint

__all__ = ["blueprint", "households", "imports", "registration", "stock", "verification"]
