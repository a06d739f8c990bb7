"""What gunicorn and `flask` load: the application for the settings of the environment."""

import os

from kernel.settings import Settings
from marketplace import create_app

app = create_app(Settings.from_environ(os.environ))
