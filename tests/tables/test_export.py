"""The CSV of a view and the files of a source, on both databases."""

import csv
import io
import zipfile
from decimal import Decimal

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tests import factories
from webapp.models import Customer, Source
from webapp.services import export, tables
from webapp.services.csv_files import defused, lines

SOME_DAY = factories.SOME_DAY


def fill(connection, order=1):
    """Two customers and three contacts; `order` -1 inserts them the other way round."""
    source_id = factories.source(connection)
    customers = [
        ("org_1", {"name": "Acme, “Ltd”", "email": "=1+1@acme.example", "country": "FR", "contacts": 2}),
        (
            "org_B",
            {"custom": {"mrr": Decimal("2.50"), "paid": True, "note": "line\nbreak", "on": "2026-09-01"}},
        ),
        ("org_a", {"custom": {"mrr": 7, "mixed": True, "on": "2026-09-01T10:00:00.5+02:00"}}),
    ]
    ids = {}
    for external_id, columns in customers[::order]:
        ids[external_id] = factories.customer(connection, source_id, external_id, **columns)
    contacts = [
        ("org_1", {"user_id": "u_1", "first_name": "Ada", "phone": "+33 1 23", "twitter": "@ada"}),
        ("org_1", {"email": "z@example.com", "last_name": "Ω", "first_seen": SOME_DAY + 500_000}),
        ("org_a", {"email": "a@example.com", "custom": {"plan": "-"}}),
    ]
    for external_id, columns in contacts[::order]:
        factories.contact(connection, source_id, ids[external_id], **columns)
    told = {"mrr": ["Integer", "Decimal"], "paid": ["Boolean"], "note": ["String"], "on": ["Timestamp"]}
    for key, types in (told | {"mixed": ["Boolean", "String"]}).items():
        factories.sighting(connection, source_id, "customer", key, types)
    factories.sighting(connection, source_id, "contact", "plan")
    return source_id


def parsed(data):
    """Rows of a CSV file as a spreadsheet reads it."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_the_files_of_a_source_have_exactly_these_columns_and_forms(engine, tmp_path):
    """Scripts read these files by name and order; a change here breaks them."""
    with engine.begin() as connection:
        source_id = fill(connection)
    customers, contacts = (
        parsed(path.read_bytes()) for path in export.write(engine, source_id, tmp_path / "out")
    )
    assert customers[0] == [
        "uuid",
        "external_id",
        "name",
        "email",
        "website_url",
        "country",
        "state",
        "city",
        "zip",
        "lead_status",
        "contacts",
        "first_seen",
        "last_seen",
        "custom.mixed",
        "custom.mrr",
        "custom.note",
        "custom.on",
        "custom.paid",
    ]
    day = "2026-09-21T14:13:20Z"
    assert [row[1:] for row in customers[1:]] == [
        ["org_1", "Acme, “Ltd”", "'=1+1@acme.example", "", "FR", "", "", "", "New Lead", "2", day, day]
        + [""] * 5,
        ["org_B"]
        + [""] * 7
        + ["New Lead", "0", day, day, "", "2.5", "line\nbreak", "2026-09-01T00:00:00Z", "true"],
        ["org_a"]
        + [""] * 7
        + ["New Lead", "0", day, day, "true", "7", "", "2026-09-01T08:00:00.500000Z", ""],
    ]
    assert customers[1][0].startswith("cus_")
    assert contacts[0] == [
        "uuid",
        "customer_uuid",
        "customer_external_id",
        "user_id",
        "email",
        "first_name",
        "last_name",
        "title",
        "phone",
        "linked_in",
        "twitter",
        "first_seen",
        "last_seen",
        "custom.plan",
    ]
    assert [row[2:] for row in contacts[1:]] == [
        ["org_1", "u_1", "", "Ada", "", "", "+33 1 23", "", "'@ada", day, day, ""],
        ["org_a", "", "a@example.com", "", "", "", "", "", "", day, day, "'-"],
        ["org_1", "", "z@example.com", "", "Ω", "", "", "", "", "2026-09-21T14:13:20.500000Z", day, ""],
    ]
    assert contacts[1][1] == customers[1][0]


def test_the_order_of_arrival_does_not_show_in_a_file(engine, tmp_path):
    """Two runs over the same events make the same file, uuids aside."""
    files = []
    for order in (1, -1):
        with engine.connect() as connection:
            source_id = fill(connection, order)
            files.append(
                [
                    [row[2:] for row in parsed(b"".join(export.source_csv(connection, table, source_id)))]
                    for table in (tables.CUSTOMERS, tables.CONTACTS)
                ]
            )
    assert files[0] == files[1]


def test_a_hidden_attribute_is_exported_and_an_ignored_one_is_not(engine):
    """Hiding is about columns on a page; ignoring is about the data."""
    from webapp.services import attributes

    with Session(engine) as session:
        source_id = fill(session.connection())
        session.commit()
        attributes.hide(session, "customer", "note", True)
        attributes.ignore(session, "customer", "paid", True)
        header = parsed(b"".join(export.source_csv(session.connection(), tables.CUSTOMERS, source_id)))[0]
        assert "custom.note" in header
        assert "custom.paid" not in header
        offered = tables.columns_of(session.connection(), tables.CUSTOMERS)
        assert "custom.note" not in offered
        assert "custom.paid" not in offered
        attributes.hide(session, "customer", "note", False)
        assert "custom.note" in tables.columns_of(session.connection(), tables.CUSTOMERS)


def test_the_csv_of_a_view_is_exactly_the_view(engine):
    """Columns, filters and order of the file are those on the screen, past the first page too."""
    with engine.connect() as connection:
        source_id = factories.source(connection)
        rows = [
            factories.customer_row(
                source_id, f"o{number}", contacts=number, country="FR" if number % 2 else None
            )
            for number in range(1203)
        ]
        connection.execute(insert(Customer), rows)
        columns = tables.columns_of(connection, tables.CUSTOMERS)
        args = {"f": ["country:is:fr"], "sort": ["-contacts"], "c": ["contacts", "external_id"]}
        view = tables.read_view(tables.CUSTOMERS, columns, args)
        found = parsed(b"".join(export.view_csv(tables.scope_of(connection, view))))
    assert found[0] == ["contacts", "external_id"]
    assert found[1:] == [[str(n), f"o{n}"] for n in range(1201, 0, -2)]


def test_export_first_is_a_zip_that_is_sent_while_it_is_made(engine):
    """Whoever deletes a source can take its data along, however much there is."""
    with Session(engine) as session:
        source_id = fill(session.connection())
        session.commit()
        source = session.scalars(select(Source).where(Source.id == source_id)).one()
        data = b"".join(export.stream_zip(engine, source))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["customers.csv", "contacts.csv", "README.txt"]
        assert len(parsed(archive.read("contacts.csv"))) == 4
        assert "“Production”" in archive.read("README.txt").decode()


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|x", "-2+3+cmd", "@SUM(A1)", "\t=1", "\r=1", "-", "+", "-1e5x", "--a"]
)
def test_what_begins_like_a_formula_is_defused(text):
    """A spreadsheet never runs what somebody typed into a sign-up form."""
    assert defused(text) == "'" + text


@pytest.mark.parametrize(
    "text", ["", "a=1", "-3", "-2.50", "+33 1 23 45 67 89", "+1 (555) 010-9999", "01234", " =1"]
)
def test_numbers_and_phone_numbers_are_left_as_they_are(text):
    """An apostrophe in front of a phone number would spoil it for every other program."""
    assert defused(text) == text


def test_a_file_follows_rfc_4180():
    """Quotes are doubled, what holds a comma or a line break is quoted, and lines end in CRLF."""
    assert b"".join(lines(["a", "b"], [['say "x"', "1,2"], ["l\n", "é"]])) == (
        'a,b\r\n"say ""x""","1,2"\r\n"l\n",é\r\n'.encode()
    )
