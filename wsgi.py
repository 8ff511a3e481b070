"""The entry of the web server: the webhook first, the dashboard behind it."""

from webapp.app import create_app

app = create_app()
