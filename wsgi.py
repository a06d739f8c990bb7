"""What gunicorn and `flask` load: the application for the settings of the environment."""

import os

from kernel import logs
from kernel.postgres import with_database
from kernel.settings import Settings
from marketplace import create_app

logs.begin()
app = create_app(with_database(Settings.from_environ(os.environ)))
