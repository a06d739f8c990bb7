"""The application as `wsgi.py` makes it, with moments at which it can be killed."""

from tests.death.moments import install_from_environ
from wsgi import app

install_from_environ(app)

__all__ = ["app"]
