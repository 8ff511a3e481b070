"""The data tables: which columns there are, what a view of one asks for, and the rows that answer it."""

from webapp.services.tables.choosing import MOST, TooMany, all_of, chosen
from webapp.services.tables.columns import (
    CONTACTS,
    CUSTOMERS,
    LEADS,
    Column,
    Table,
    columns_of,
    text_of,
    value_of,
)
from webapp.services.tables.cursor import Cursor
from webapp.services.tables.filters import ALONE, OPERATORS, Filter
from webapp.services.tables.query import News, Page, Record, counted, news, page, records
from webapp.services.tables.scope import Scope, scope_of
from webapp.services.tables.view import SIZES, View, read_view
from webapp.services.tables.walking import ids_of

__all__ = [
    "ALONE",
    "CONTACTS",
    "CUSTOMERS",
    "LEADS",
    "MOST",
    "OPERATORS",
    "SIZES",
    "Column",
    "Cursor",
    "Filter",
    "News",
    "Page",
    "Record",
    "Scope",
    "Table",
    "TooMany",
    "View",
    "all_of",
    "chosen",
    "columns_of",
    "counted",
    "ids_of",
    "news",
    "page",
    "read_view",
    "records",
    "scope_of",
    "text_of",
    "value_of",
]
