"""How many leads there are of each status."""

from __future__ import annotations

from sqlalchemy import Connection, String, literal, select

from webapp.models import Customer
from webapp.models.customer import LEAD_STATUSES
from webapp.models.search import sortable
from webapp.services import counting, visibility
from webapp.services.counting import EXACT


def counts(connection: Connection) -> dict[str, str]:
    """By status the number of leads: exact up to ten thousand, `10,000+` past that."""
    seen = visibility.seen(connection, Customer)
    found = {}
    for status in LEAD_STATUSES:
        rows = select(Customer.id).where(
            sortable(Customer.lead_status) == sortable(literal(status, String)), seen
        )
        number = counting.number(connection, rows, EXACT)
        found[status] = f"{number:,}" if number <= EXACT else f"{EXACT:,}+"
    return found
