"""The application's context, and an operator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from kernel.access import Viewer
from tests.cabinets import cabinet_builders
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def operator() -> Viewer:
    """Somebody who runs cabinets."""
    return cabinet_builders.operator()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody with a browser."""
    return Visitor(app, app.response_class)
