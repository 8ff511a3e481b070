"""The entry of the web server: the webhook first, the dashboard behind it."""

from webapp import logs
from webapp.app import create_app
from webapp.webhook import mount

logs.configure()
app = create_app()
mount(app)
