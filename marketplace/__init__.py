"""The marketplace: the application that wires all rooms together."""

from marketplace.app import create_app

__all__ = ["create_app"]
