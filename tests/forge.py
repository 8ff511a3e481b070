"""What programs of tests are forked from: everything that they import and compile first, done once."""

from __future__ import annotations

from pathlib import Path

from granian.server import mp  # noqa: F401

# Not the programs themselves, which are run afresh.
from jobs import later, tending, workers  # noqa: F401
from tests import economy
from webapp import garbage, webhook  # noqa: F401
from webapp.app import create_app
from webapp.config import Settings

economy.compile_once()
_app = create_app(Settings(data_dir=Path(), database_url="sqlite://", secret_key="opens nothing"))
for _name in _app.jinja_env.list_templates():
    _app.jinja_env.get_template(_name)
garbage.settle()
