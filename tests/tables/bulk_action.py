"""A stand-in for what other parts offer to do to many rows: it gives them a city."""

from jinja2 import ChoiceLoader, DictLoader
from sqlalchemy import update

from webapp.models import Customer
from webapp.services.tables import CUSTOMERS
from webapp.services.transactions import write
from webapp.views import bulk

PART = '<label class="field">City <input class="input" name="city" form="{{ form }}"></label>'


def move(session, ids, form, by):
    """Give customers a city; refuses when none is named."""
    if not form["city"]:
        raise bulk.Refused("Name a city. Nothing was changed.")
    with write(session):
        session.execute(update(Customer).where(Customer.id.in_(ids)).values(city=form["city"]))
    return f"{len(ids)} moved to {form['city']} by {by}."


def offer(app):
    """Have the table of customers offer it."""
    app.jinja_loader = ChoiceLoader([DictLoader({"move.html": PART}), app.jinja_loader])
    bulk.offer(app, CUSTOMERS, bulk.Action("move", "Move", "move.html", move))
