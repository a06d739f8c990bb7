"""What is done before the shop opens: the newest schema, and the demo in an empty database.

`python -m marketplace.prepare`, with the settings of the environment, is a process of its own:
the launcher, which needs no application, then starts at once.
"""

from __future__ import annotations

import os
import sys

import click
import flask_migrate
import psycopg
from sqlalchemy.exc import DBAPIError

from kernel.settings import Environment, Settings
from marketplace.app import create_app
from marketplace.demo import loading


def main() -> int:
    """Bring the database of DATABASE_URL to the newest version, and load the demo if it may.

    Returns the exit code: 1 when PostgreSQL refuses, whose reason is then said in one line.
    """
    settings = Settings.from_environ(os.environ)
    try:
        with create_app(settings).app_context():
            flask_migrate.upgrade()
            if settings.environment is Environment.DEVELOPMENT:
                loading.prepare()
    except (DBAPIError, psycopg.Error) as error:
        click.echo(f"PostgreSQL says: {str(error).strip().splitlines()[0]}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
