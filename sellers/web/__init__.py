"""Pages of a seller's workspace and of the staff who verify sellers."""

from sellers.web import households, imports, registration, stock
from sellers.web.room import blueprint
from sellers.web.verification import blueprint as verification

__all__ = ["blueprint", "households", "imports", "registration", "stock", "verification"]
