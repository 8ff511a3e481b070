"""The CSV of a view and the files of a source, on both databases."""

import csv
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tests import factories
from webapp.models import Customer, Source
from webapp.services import export, source_zip, tables, xlsx
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
        data = b"".join(source_zip.stream(engine, source))
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


def test_a_workbook_holds_the_view_with_its_types(engine):
    """Numbers can be summed and times compared; what looks like a formula is a text."""
    with engine.connect() as connection:
        fill(connection)
        wanted = {"c": ["external_id", "email", "contacts", "last_seen", "custom.paid", "custom.mrr"]}
        view = tables.read_view(tables.CUSTOMERS, tables.columns_of(connection, tables.CUSTOMERS), wanted)
        scope = tables.scope_of(connection, replace(view, sort=view.columns[0], descending=False))
        book = zipfile.ZipFile(io.BytesIO(b"".join(export.view_xlsx(scope))))
    assert book.testzip() is None
    names = set(book.namelist())
    assert {"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/styles.xml"} < names
    for name in names:
        ElementTree.fromstring(book.read(name))
    sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    rows = [
        [(cell.get("t"), "".join(cell.itertext())) for cell in row.iter(f"{main}c")]
        for row in sheet.iter(f"{main}row")
    ]
    assert [text for _, text in rows[0]] == wanted["c"]
    by_id = {row[0][1]: row[1:] for row in rows[1:]}
    assert by_id["org_1"][:2] == [("inlineStr", "=1+1@acme.example"), (None, "2")]
    assert by_id["org_B"][3:] == [("b", "1"), (None, "2.50")]
    days = (datetime.fromtimestamp(SOME_DAY / 1_000_000, UTC) - datetime(1899, 12, 30, tzinfo=UTC)).days
    assert int(float(by_id["org_a"][2][1])) == days


def test_a_workbook_goes_on_in_another_sheet_and_spoils_no_value(monkeypatch):
    """Whatever was told, there is a file that opens, and no digit of an id is lost."""
    monkeypatch.setattr(xlsx, "MOST_ROWS", 3)
    rows = [["\x00\x0b<&\ud800", 12345678901234567890, Decimal("0.1"), False, None] for _ in range(5)]
    book = zipfile.ZipFile(io.BytesIO(b"".join(xlsx.workbook("A & B", ["a", "b", "c", "d", "e"], rows))))
    sheets = [ElementTree.fromstring(book.read(f"xl/worksheets/sheet{n}.xml")) for n in (1, 2, 3)]
    texts = ["".join(sheet.itertext()) for sheet in sheets]
    assert texts[0] == "abcde" + "���<&�123456789012345678900.10".replace("���", "��") * 2
    assert texts[2].count("12345678901234567890") == 1
    assert 'name="A &amp; B 3"' in book.read("xl/workbook.xml").decode()


def test_a_table_is_sent_as_a_workbook(told):
    """The button beside Export CSV gives the same rows."""
    for path in ("/contacts.xlsx?sort=name", "/sources/SOURCE/customers.xlsx"):
        response = told.client.get(path.replace("SOURCE", told.id))
        assert response.mimetype.endswith("spreadsheetml.sheet")
        assert zipfile.ZipFile(io.BytesIO(response.data)).testzip() is None
