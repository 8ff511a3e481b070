"""The entry of the web server: the webhook first, the dashboard behind it."""

import sys

from webapp import garbage, logs
from webapp.app import create_app
from webapp.config import BadSetting
from webapp.webhook import mount
from webapp.webhook.threads import Threads

logs.configure()
try:
    app = create_app()
except BadSetting as error:
    sys.exit(f"Error: {error}")
webhook = mount(app, Threads())
garbage.settle()
