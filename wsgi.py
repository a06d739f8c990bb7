"""What gunicorn and `flask` load: the application for the settings of the environment."""

import gc

gc.disable()  # nothing of what is loaded and built here is ever let go

import os

from kernel import logs
from kernel.postgres import with_database
from kernel.settings import Settings
from marketplace.app import create_app

logs.begin()
app = create_app(with_database(Settings.from_environ(os.environ)))
gc.freeze()  # no collection looks at it again, in the workers neither
gc.enable()
