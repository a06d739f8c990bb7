"""What is done before the shop opens: the newest schema, and the demo in an empty database.

`python -m marketplace.prepare`, with the settings of the environment, is a process of its own:
the launcher, which needs no application, then starts at once.
"""

from __future__ import annotations

import os

import flask_migrate

from kernel.settings import Environment, Settings
from marketplace.app import create_app
from marketplace.demo import loading


def main() -> None:
    """Bring the database of DATABASE_URL to the newest version, and load the demo if it may."""
    settings = Settings.from_environ(os.environ)
    with create_app(settings).app_context():
        flask_migrate.upgrade()
        if settings.environment is Environment.DEVELOPMENT:
            loading.prepare()


if __name__ == "__main__":
    main()
