"""The addresses of a data table: of the account and of one source, as a page, its news, and two files."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint
from flask.typing import ResponseReturnValue

from webapp.models import Source
from webapp.security import viewer_may
from webapp.services.tables import Table
from webapp.views import bulk, table_page
from webapp.views.source_page import source_or_404

Answer = Callable[[Table, Source | None], ResponseReturnValue]

# What stands behind the table's name in an address, the endpoints of account and source, and what answers.
ROUTES: tuple[tuple[str, str, str, Answer], ...] = (
    ("", "index", "of_source", table_page.show),
    ("/news", "news", "news_of_source", table_page.news),
    (".csv", "csv", "csv_of_source", table_page.csv),
    (".xlsx", "xlsx", "xlsx_of_source", table_page.xlsx),
)


def add(bp: Blueprint, table: Table, of_sources: bool = True) -> None:
    """Give a blueprint its table: `/contacts.csv`, `/sources/<source id>/contacts/news` and the others.

    Args:
        bp: bears the table's noun.
        table: which.
        of_sources: whether each source has such a table too.
    """
    _add_bulk(bp, table, of_sources)
    for suffix, of_account, of_source, answer in ROUTES:
        view = _view(answer, table)
        bp.add_url_rule(f"/{bp.name}{suffix}", of_account, view)
        if of_sources:
            bp.add_url_rule(f"/sources/<source_id>/{bp.name}{suffix}", of_source, view)


def _add_bulk(bp: Blueprint, table: Table, of_sources: bool) -> None:
    def view(source_id: str | None = None) -> ResponseReturnValue:
        return bulk.change(table, source_or_404(source_id) if source_id is not None else None)

    bp.add_url_rule(f"/{bp.name}/bulk", "bulk", view, methods=["POST"])
    if of_sources:
        bp.add_url_rule(f"/sources/<source_id>/{bp.name}/bulk", "bulk_of_source", view, methods=["POST"])


def _view(answer: Answer, table: Table) -> Callable[..., ResponseReturnValue]:
    @viewer_may
    def view(source_id: str | None = None) -> ResponseReturnValue:
        return answer(table, source_or_404(source_id) if source_id is not None else None)

    return view
