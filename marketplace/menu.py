"""Placeholder until it is written."""


def register(app: object) -> None:
    """Nothing yet."""
