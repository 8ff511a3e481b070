"""`flask source ...` and `flask drain`: what the pages offer, for scripts."""

import csv
import json
import re

import pytest
from sqlalchemy import select, update

from tests.projection.support import receive
from tests.sources.support import ACME, ADA, BOB, add_source, change, key, row
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Contact, Event, Source, WebhookUrl
from webapp.services import long_work, sources, tokens

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def run(app, *arguments):
    """Run one command; its result."""
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


def told(result):
    """What a command that went well printed."""
    assert result.exit_code == 0, result.output
    return result.stdout


def complaint(result):
    """The one line of a command that failed."""
    assert result.exit_code != 0
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def url_of(engine, token):
    """The row of a URL."""
    with engine.connect() as connection:
        wanted = select(WebhookUrl.__table__).where(WebhookUrl.token_digest == tokens.digest(token))
        return connection.execute(wanted).one()


def key_of(engine, key):
    """The row of a write key."""
    with engine.connect() as connection:
        wanted = select(WebhookUrl.__table__).where(WebhookUrl.token_digest == tokens.key_digest(key))
        return connection.execute(wanted).one()


def test_add_prints_id_url_and_write_key_as_json(app, engine):
    """A script reads them, and they are the source's."""
    made = json.loads(told(run(app, "source", "add", "--name", "Website", "--policy", "company")))
    assert made.keys() == {"id", "webhook_url", "write_key"}
    source = row(app, made["id"])
    assert (source.name, source.policy, source.applied_policy) == ("Website", "company", "company")
    base, token = made["webhook_url"].rsplit("/", 1)
    assert base == "http://127.0.0.1:8000/webhooks/segment"
    assert url_of(engine, token).source_id == source.id
    assert key_of(engine, made["write_key"]).source_id == source.id


@SQLITE
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "--name", "production", "--policy", "user"], "already a source named “production”"),
        (["add", "--name", " ", "--policy", "user"], "Give this source a name."),
        (["add", "--name", "x" * 256, "--policy", "user"], "at most 255 characters"),
        (["add", "--name", "Website", "--policy", "all"], "user or company"),
        (["add", "--name", "Website"], "Missing option '--policy'"),
        (["add", "--policy", "user"], "Missing option '--name'"),
        (["policy", "ds_none", "user"], "There is no source ds_none."),
        (["policy", "ID", "all"], "user or company"),
        (["policy", "ID"], "Missing argument"),
        (["regenerate", "ID", "--grace", "soon"], "'soon' is no length of time"),
        (["regenerate", "ID", "--grace", "31d"], "the most is 30d"),
        (["regenerate", "ds_none"], "There is no source ds_none."),
        (["resync", "ds_none"], "There is no source ds_none."),
        (["rebuild", "ds_none"], "There is no source ds_none."),
        (["delete", "ID"], "Add --yes"),
        (["delete", "ds_none", "--yes"], "There is no source ds_none."),
        (["export", "ID"], "Missing option '--out'"),
        (["export", "ID", "--out", "/proc/none"], "/proc/none cannot be written"),
        (["export", "ds_none", "--out", "OUT"], "There is no source ds_none."),
        (["explode"], "No such command 'explode'"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(app, tmp_path, arguments, words):
    """Nothing on standard output, one line on standard error, and an exit status that is not zero."""
    public_id, _ = add_source(app)
    given = [{"ID": public_id, "OUT": tmp_path}.get(part, part) for part in arguments]
    assert words in complaint(run(app, "source", *given))
    assert row(app, public_id).policy == "user"


def test_list_tells_what_each_source_does(app, engine, settings):
    """For people in columns, for scripts as one JSON object a line."""
    assert "no sources yet" in told(run(app, "source", "list"))
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    head, line = told(run(app, "source", "list")).splitlines()
    assert re.split(r" {2,}", head)[:4] == ["id", "name", "policy", "status"]
    assert re.split(r" {2,}", line)[:4] == [public_id, "Production", "user", "Waiting for the first event"]
    assert json.loads(told(run(app, "source", "list", "--json"))) == {
        "id": public_id,
        "name": "Production",
        "policy": "user",
        "status": "Waiting for the first event",
        "events_24h": 0,
        "customers": 2,
        "contacts": 2,
        "failed_events": 0,
    }


def test_policy_then_resync_changes_the_tables(app, engine, settings):
    """The policy alone changes nothing; the re-sync returns when it is done, and says what changed."""
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    saved = told(run(app, "source", "policy", public_id, "company")).splitlines()
    assert saved == [
        "Saved: A user is added to a company.",
        f"The tables change with a re-sync: source resync {public_id}",
    ]
    assert row(app, public_id).applied_policy == "user"
    assert told(run(app, "source", "resync", public_id)) == "Re-sync: done. −1 customer, −1 contact.\n"
    with engine.connect() as connection:
        assert connection.scalars(select(Contact.user_id)).all() == ["bob"]
    again = told(run(app, "source", "policy", public_id, "company"))
    assert again == "It was that already: A user is added to a company.\n"


def test_what_is_under_way_goes_before_what_was_asked_for(app, engine, settings):
    """Work of another kind, or with another policy, is ended first; then comes what the script wanted."""
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    under_way(app, public_id, "resync")
    assert told(run(app, "source", "rebuild", public_id)).splitlines() == [
        "Re-sync, under way already: done. No customer or contact was added or removed.",
        "Rebuild from events: done. No customer or contact was added or removed. "
        "All 3 ids and companies came out as they were.",
    ]
    under_way(app, public_id, "resync")
    told(run(app, "source", "policy", public_id, "company"))
    assert told(run(app, "source", "resync", public_id)).splitlines() == [
        "Re-sync, under way already: done. No customer or contact was added or removed.",
        "Re-sync: done. −1 customer, −1 contact.",
    ]
    assert row(app, public_id).applied_policy == "company"


def test_a_script_that_joins_what_it_wanted_does_it_once(app, engine):
    """The same kind with the same choice is what was asked for."""
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    told(run(app, "source", "policy", public_id, "company"))
    under_way(app, public_id, "resync")
    assert told(run(app, "source", "resync", public_id)) == (
        "Re-sync, under way already: done. −1 customer, −1 contact.\n"
    )


def under_way(app, public_id, kind):
    """Somebody else asks for long work that no worker has taken up yet."""
    with app.app_context():
        long_work.begin(db.session(), sources.find(db.session(), public_id), kind)


def test_rebuild_gives_the_same_again(app, engine, settings, tmp_path):
    """A rebuild folds the inbox again; the exports before and after are the same to the byte."""
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    told(run(app, "source", "export", public_id, "--out", tmp_path / "before"))
    assert told(run(app, "source", "rebuild", public_id)).startswith("Rebuild from events: done.")
    told(run(app, "source", "export", public_id, "--out", tmp_path / "after"))
    for name in ("customers.csv", "contacts.csv"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()


@pytest.mark.parametrize(
    ("grace", "seconds"), [(None, 0), ("24h", 86_400), ("90m", 5400), ("0", 0), ("2d", 172_800)]
)
def test_regenerate_ends_the_old_url_when_it_is_told_to(app, engine, grace, seconds):
    """At once unless a time of grace is given; the new URL is printed as JSON."""
    public_id, old = add_source(app)
    options = ("--grace", grace) if grace else ()
    made = json.loads(told(run(app, "source", "regenerate", public_id, *options)))
    assert made["id"] == public_id
    new = made["webhook_url"].rsplit("/", 1)[1]
    ended = url_of(engine, old)
    assert ended.ends_at - ended.replaced_at == seconds * 1_000_000
    assert url_of(engine, new).ends_at is None


@SQLITE
def test_regenerate_makes_a_new_write_key_and_leaves_the_url_alone(app, engine):
    """The two secrets are replaced each for itself."""
    added = json.loads(told(run(app, "source", "add", "--name", "Website", "--policy", "user")))
    made = json.loads(told(run(app, "source", "regenerate", added["id"], "--write-key", "--grace", "1h")))
    assert made.keys() == {"id", "write_key"}
    ended = key_of(engine, added["write_key"])
    assert ended.ends_at - ended.replaced_at == 3600 * 1_000_000
    assert key_of(engine, made["write_key"]).ends_at is None
    assert url_of(engine, added["webhook_url"].rsplit("/", 1)[1]).ends_at is None


def test_delete_returns_when_nothing_is_left(app, engine):
    """No worker is needed; the other source stays."""
    other, _ = add_source(app, "Other")
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    assert told(run(app, "source", "delete", public_id, "--yes")) == "Deleted Production.\n"
    with engine.connect() as connection:
        assert connection.scalars(select(Source.uuid)).all() == [other.removeprefix("ds_")]
        assert connection.scalars(select(Event.id)).all() == []


def test_export_writes_the_two_files(app, engine, tmp_path):
    """Their paths are printed, and they hold what the tables show."""
    public_id, _ = add_source(app)
    receive(engine, key(app, public_id), [ADA, BOB, ACME])
    run(app, "drain")
    out = tmp_path / "deep" / "export"
    assert told(run(app, "source", "export", public_id, "--out", out)).splitlines() == [
        str(out / "customers.csv"),
        str(out / "contacts.csv"),
    ]
    with open(out / "contacts.csv", newline="", encoding="utf-8") as file:
        assert {contact["user_id"] for contact in csv.DictReader(file)} == {"ada", "bob"}


def test_drain_folds_all_that_waits(app, engine):
    """Every source that is not paused, here and now; a second time there is nothing to do."""
    first, _ = add_source(app)
    second, _ = add_source(app, "Paused")
    change(engine, key(app, second), pause="keep")
    receive(engine, key(app, first), [ADA, {"type": "page", "userId": "ada"}])
    receive(engine, key(app, second), [BOB])
    assert told(run(app, "drain")) == "2 events folded: 1 imported, 1 ignored, 0 failed, 0 duplicates.\n"
    assert told(run(app, "drain")) == "0 events folded: 0 imported, 0 ignored, 0 failed, 0 duplicates.\n"
    with engine.connect() as connection:
        assert connection.scalars(select(Contact.user_id)).all() == ["ada"]
    with begin(engine) as connection:
        connection.execute(update(Source).values(pause=""))
    assert told(run(app, "drain")).startswith("1 events folded")
