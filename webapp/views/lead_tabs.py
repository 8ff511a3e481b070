"""The tabs over the table of leads: one a status, each a filter in the address like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from webapp.models.customer import LEAD_STATUSES
from webapp.services import leads
from webapp.services.tables import View
from webapp.services.tables.filters import make


def of(connection: Connection, view: View, url: Callable[[View], str]) -> list[dict[str, Any]]:
    """The tabs of a view of leads, with how many there are of each status.

    Args:
        url: the address of a view.
    """
    counts = leads.counts(connection)
    others = tuple(each for each in view.filters if each.column.key != "lead_status")
    every = {"label": "All", "href": url(replace(view, filters=others)), "active": others == view.filters}
    tabs = [every]
    for status in LEAD_STATUSES:
        wanted = make(view.available, "lead_status", "is", status)
        tabs.append(
            {
                "label": status,
                "href": url(replace(view, filters=(*others, wanted))),
                "active": wanted in view.filters,
                "count": counts[status],
            }
        )
    return tabs
