"""CSV files of a billing source: guessed, corrected, validated row by row, resumed, and never doubled."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from tests.merging.test_merging import billing, customers
from tests.people import csrf_token, post, signed_in
from tests.projection.test_resync import ask, work
from webapp.config import Settings
from webapp.domain import billing_rows
from webapp.models import BillingFile, RefusedRow, Source, Subscription
from webapp.services import pacing
from webapp.services.billing import reading, uploads

CUSTOMERS = """Customer ID;Name;E-Mail Address;Website;Country;Seats;Signed on;ZIP
1;Acme, Inc.;ada@acme.com;https://acme.com;Germany;12;2026-01-02;01067
2;Beta;no address;beta.io;US;x;;
;Nobody;;;;;;
3;"Gamma
GmbH";;;;2.5;;
"""
SUBSCRIPTIONS = """id,customer_id,plan,amount,currency,interval,start,end,status
s1,1,Gold,"1,200.00",eur,year,2026-01-01,,past_due
s2,3,Gold,49.90,EUR,3 months,2026-01-01,2026-02-01,
s3,9,Gold,1,EUR,month,2026-01-01,,
s4,1,Gold,cheap,E,now and then,soon,,
"""


def test_columns_are_guessed_from_their_headings() -> None:
    """Fields by their usual spellings; what is left becomes custom attributes of customers."""
    heading = CUSTOMERS.splitlines()[0].split(";")
    assert billing_rows.guess("customers", heading) == [
        "external_id", "name", "email", "website_url", "country", "custom.seats", "custom.signed_on", "zip",
    ]  # fmt: skip
    assert billing_rows.guess("subscriptions", ["id", "external_id", "note"]) == ["", "external_id", ""]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12),
        ("01067", "01067"),
        ("2.50", Decimal("2.50")),
        ("TRUE", True),
        ("2026-01-02", "2026-01-02"),
        ("-", "-"),
    ],
)
def test_a_custom_attribute_has_the_type_of_its_cell(cell: str, value: Any) -> None:
    """What looks like a number is one, unless that would lose a leading zero."""
    assert billing_rows.typed(cell) == value
    assert type(billing_rows.typed(cell)) is type(value)


def test_everything_that_is_wrong_with_a_row_is_said_at_once() -> None:
    """One upload shows all there is to correct."""
    columns = billing_rows.guess("subscriptions", SUBSCRIPTIONS.splitlines()[0].split(","))
    problems = billing_rows.read(
        "subscriptions", columns, ["s", "", "P", "-1", "euro", "0 months", "x", "y"]
    ).problems
    assert problems == [
        "“Customer’s external ID” is missing.",
        "“Amount” is less than nothing.",
        "“Currency” is no currency: write its three letters, such as EUR.",
        "“Interval” is no interval: write month, year or 3 months.",
        "“Start” is no date: write it as 2026-11-24 or 2026-11-24T10:15:00Z.",
        "“End” is no date: write it as 2026-11-24 or 2026-11-24T10:15:00Z.",
    ]


def upload(client: FlaskClient, home: str, kind: str, text: str | bytes, name: str = "table.csv") -> Any:
    """Send a file as a browser does."""
    data = text if isinstance(text, bytes) else text.encode()
    form = {"csrf_token": csrf_token(client, home), "file": (io.BytesIO(data), name)}
    return client.post(f"{home}/{kind}", data=form, content_type="multipart/form-data")


def begin(client: FlaskClient, page: str, *changed: tuple[int, str]) -> Any:
    """Import a file with its columns as they were guessed, but for some."""
    selects = BeautifulSoup(client.get(page).text, "html.parser").select("select[name=column]")
    columns = [(s.select_one("option[selected]") or s.select_one("option"))["value"] for s in selects]
    for number, value in changed:
        columns[number] = value
    return post(client, page, f"{page}/columns", column=columns)


def home_of(engine: Engine, source_id: int) -> str:
    """The page that takes files."""
    with engine.connect() as connection:
        uuid = connection.scalar(select(Source.uuid).where(Source.id == source_id))
    return f"/sources/ds_{uuid}/files"


def read(engine: Engine, settings: Settings) -> None:
    """What a worker does."""
    for file_id in uploads.stalled(engine):
        reading.run(engine, file_id, settings=settings)


def take(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let a worker take so many rows at a time."""
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, rows)


def files(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(BillingFile.__table__).order_by(BillingFile.id)).all())


def test_customers_are_imported_and_bad_rows_come_back_to_be_corrected(
    app: Flask, engine: Engine, settings: Settings
) -> None:
    """Good rows are there, bad ones are listed with reasons; corrected and sent again nothing is doubled."""
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    page = upload(client, home, "customers", CUSTOMERS).headers["Location"]
    assert customers(engine) == []
    begin(client, page)
    read(engine, settings)
    found = {row.external_id: row for row in customers(engine)}
    assert set(found) == {"1", "3"}
    acme = found["1"]
    assert (acme.name, acme.email, acme.country, acme.zip) == ("Acme, Inc.", "ada@acme.com", "DE", "01067")
    assert acme.custom == {"seats": 12, "signed_on": "2026-01-02"}
    assert found["3"].name == "Gamma GmbH" or found["3"].name == "Gamma\nGmbH"
    (file,) = files(engine)
    assert (file.state, file.rows, file.added, file.updated, file.refused) == ("done", 4, 2, 0, 2)
    shown = BeautifulSoup(client.get(page).text, "html.parser").get_text()
    assert "“E-mail” is no e-mail address." in shown
    assert re.search(r"Rows\s*4\s*New\s*2\s*Updated\s*0\s*Refused\s*2", shown)
    assert not list((settings.data_dir / "billing").iterdir())
    corrected = client.get(f"{page}/refused.csv").get_data(as_text=True).replace("no address", "b@beta.io")
    again = upload(client, home, "customers", corrected.replace("\r\n,Nobody", "\r\n4,Nobody")).headers[
        "Location"
    ]
    assert files(engine)[-1].columns[-1] == ""  # what was wrong is no attribute of anybody
    begin(client, again)
    read(engine, settings)
    assert {row.external_id for row in customers(engine)} == {"1", "2", "3", "4"}
    assert {row.external_id: row.uuid for row in customers(engine)}["1"] == acme.uuid
    upload_again = upload(client, home, "customers", CUSTOMERS).headers["Location"]
    begin(client, upload_again)
    read(engine, settings)
    assert (files(engine)[-1].added, files(engine)[-1].updated) == (0, 2)
    assert len(customers(engine)) == 4


def test_subscriptions_are_imported_for_customers_that_are_there(
    app: Flask, engine: Engine, settings: Settings
) -> None:
    """MRR and status follow; a subscription of nobody is refused with what to do."""
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    begin(client, upload(client, home, "customers", CUSTOMERS).headers["Location"])
    read(engine, settings)
    page = upload(client, home, "subscriptions", SUBSCRIPTIONS).headers["Location"]
    begin(client, page)
    read(engine, settings)
    found = {row.external_id: row for row in customers(engine)}
    assert (found["1"].mrr, found["1"].currency, found["1"].lead_status) == (10000, "EUR", "Past Due")
    assert (found["3"].mrr, found["3"].lead_status) == (0, "Cancelled")
    assert files(engine)[-1].refused == 2
    shown = re.sub(r"\s+", " ", BeautifulSoup(client.get(page).text, "html.parser").get_text())
    assert "No customer of this source has the external ID “9”. Upload its customers first." in shown
    begin(client, upload(client, home, "subscriptions", SUBSCRIPTIONS).headers["Location"])
    read(engine, settings)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Subscription)) == 2


def test_a_file_whose_reading_was_cut_off_goes_on_where_it_was(
    app: Flask, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read twice, nothing is left out, and refused rows bear the numbers a spreadsheet shows."""
    take(monkeypatch, 2)
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    rows = "\nid,name\n" + "".join(f"{n},Name {n}\n" if n % 3 else f",Nobody {n}\n,\n" for n in range(1, 12))
    begin(client, upload(client, home, "customers", rows).headers["Location"])
    left = [2]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    (file,) = files(engine)
    reading.run(engine, file.id, settings=settings, stop=stop)
    assert files(engine)[0].rows == 4
    reading.run(engine, file.id, settings=settings)
    (file,) = files(engine)
    assert (file.state, file.rows, file.added, file.refused) == ("done", 11, 8, 3)
    with engine.connect() as connection:
        assert connection.scalars(select(RefusedRow.row).order_by(RefusedRow.id)).all() == [5, 9, 13]


def test_a_file_is_cancelled_and_what_was_imported_stays(
    app: Flask, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so, and the uploaded file is gone."""
    take(monkeypatch, 1)
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    page = upload(client, home, "customers", "id\n1\n2\n3\n").headers["Location"]
    begin(client, page)
    asked = iter([False, True])
    reading.run(engine, files(engine)[0].id, settings=settings, stop=lambda: next(asked))
    post(client, page, f"{page}/cancellation")
    read_again = files(engine)[0].id
    reading.run(engine, read_again, settings=settings)
    assert files(engine)[0].state == "cancelled"
    assert len(customers(engine)) == 1
    assert not list((settings.data_dir / "billing").iterdir())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Choose at least one file"),
        (b"\n\n", "The first row is empty"),
        (b"PK\x03\x04\0\0", "This is no text"),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(
    app: Flask, engine: Engine, data: bytes, said: str
) -> None:
    """Nothing of it is kept."""
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    refused = upload(client, home, "customers", data)
    assert refused.status_code == 422
    assert said in refused.text
    assert files(engine) == []


def test_needed_columns_are_asked_for(app: Flask, engine: Engine) -> None:
    """Without the id nothing can be imported, and of two columns of one kind one has to be chosen."""
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    page = upload(client, home, "customers", "naam,mail,adres\na,b,c\n").headers["Location"]
    assert "Say which column is “External ID”" in begin(client, page).text
    twice = begin(client, page, (0, "external_id"), (2, "external_id"))
    assert "Two columns are “External ID”" in twice.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_letters_are_read_as_spreadsheets_write_them(
    app: Flask, engine: Engine, settings: Settings, encoding: str
) -> None:
    """UTF-8 with or without a mark, UTF-16, and what old Windows writes."""
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    page = upload(client, home, "customers", "id\tname\n1\tMüller é\n".encode(encoding)).headers["Location"]
    begin(client, page)
    read(engine, settings)
    assert customers(engine)[0].name == "Müller é"


def test_a_deleted_source_leaves_no_file_and_no_refused_row(
    app: Flask, engine: Engine, settings: Settings
) -> None:
    """What waits for its columns goes with the source too."""
    source_id = billing(engine)
    client, home = signed_in(app), home_of(engine, source_id)
    begin(client, upload(client, home, "customers", CUSTOMERS).headers["Location"])
    read(engine, settings)
    upload(client, home, "customers", CUSTOMERS)
    work(engine, settings, ask(engine, source_id, "deletion"))
    assert files(engine) == []
    assert not list((settings.data_dir / "billing").iterdir())
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(RefusedRow)) == 0
