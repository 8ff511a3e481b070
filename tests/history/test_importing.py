"""What was chosen reaches the inbox, once, whatever else goes on; then it is folded like anything else."""

import gzip
import json
import threading

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.history import support
from tests.projection.support import drain, in_order, make_source, receive, tables
from webapp.database import begin, writing
from webapp.domain.calls import choose
from webapp.models import Event, Import, Source, now
from webapp.services.imports import asking, running, storing, turns

CALLS = support.calls(200)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def archive(tmp_path):
    """A gzipped archive of 200 calls, a quarter of each kind, over ten days."""
    path = tmp_path / "archive.gz"
    path.write_bytes(gzip.compress(support.ndjson(CALLS)))
    return path


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of ten calls, so that a small archive takes many."""
    monkeypatch.setattr(storing, "CALLS", {"sqlite": 10, "postgresql": 10})


def messages(engine, source_id):
    """The message ids in an inbox, in the order of receipt."""
    return [json.loads(body)["messageId"] for body in support.bodies(engine, source_id)]


def state(engine, import_id, value):
    """Set the state of an import, as a person or a worker does."""
    with begin(engine) as connection:
        connection.execute(update(Import).where(Import.id == import_id).values(state=value))


def test_an_import_equals_the_same_calls_posted(engine, settings, archive):
    """The tables end the same to the last field, and only what is never imported is left out."""
    imported, counts = support.bring(engine, settings, [archive])
    drain(engine, settings, imported)
    posted = make_source(engine)
    receive(engine, posted, CALLS)
    drain(engine, settings, posted)
    for ours, theirs in zip(tables(engine, imported), tables(engine, posted), strict=True):
        assert in_order(ours) == in_order(theirs)
    assert counts == {"read": 200, "stored": 150, "left_out": 50, "known": 0}
    assert messages(engine, imported) == [call["messageId"] for call in CALLS if call["type"] != "page"]


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (("2026-01-03", "2026-01-04", None, None), lambda c: c["timestamp"][8:10] in ("03", "04")),
        (("", "", ["identify", "group"], None), lambda c: c["type"] in ("identify", "group")),
        (("", "", None, ["Signed Up"]), lambda c: c.get("event", "Signed Up") == "Signed Up"),
        (
            ("2026-01-09", "", ["track"], ["Plan Changed"]),
            lambda c: c.get("event") == "Plan Changed" and c["timestamp"][8:10] >= "09",
        ),
    ],
)
def test_exactly_what_was_chosen_is_stored(engine, settings, archive, asked, taken):
    """Days, types and events: not a call more, not one less."""
    source_id, counts = support.bring(engine, settings, [archive], choose(*asked))
    wanted = [call["messageId"] for call in CALLS if call["type"] != "page" and taken(call)]
    assert messages(engine, source_id) == wanted
    assert counts["stored"] == len(wanted)


def test_the_same_archive_twice_changes_nothing(engine, settings, archive, tmp_path):
    """Whoever is unsure whether an archive was imported imports it again; another form of it adds nothing."""
    source_id, _ = support.bring(engine, settings, [archive])
    before = support.bodies(engine, source_id)
    again = tmp_path / "again.json"
    again.write_text(json.dumps(CALLS, indent=1))
    for paths in ([archive], [again, archive]):
        _, counts = support.bring(engine, settings, paths, source_id=source_id)
        assert counts["stored"] == 0
        assert counts["known"] == 150 * len(paths)
    assert support.bodies(engine, source_id) == before


def test_live_events_stream_in_meanwhile_and_newer_words_win(engine, settings, tmp_path, small_batches):
    """An archive tells of the past: what was heard since stays, whichever of them comes first."""
    path = tmp_path / "old.ndjson"
    old = [support.identify(n, 0, title="Clerk", old="yes") for n in range(60)]
    path.write_bytes(support.ndjson(old))
    source_id = make_source(engine)
    live = [support.identify(n, 5, title="Head") for n in range(60)]
    receive(engine, source_id, live[:20])
    drain(engine, settings, source_id)
    asked = support.ask(engine, source_id, [path])
    sent = threading.Thread(target=lambda: [receive(engine, source_id, [call]) for call in live[20:40]])
    sent.start()
    running.run(engine, asked, settings=settings, ring=lambda _: drain(engine, settings, source_id))
    sent.join()
    receive(engine, source_id, live[40:])
    drain(engine, settings, source_id)
    _, contacts = tables(engine, source_id)
    assert len(contacts) == 60
    assert {(c["title"], c["custom"]["old"]) for c in contacts} == {("Head", "yes")}


def test_a_paused_source_keeps_what_is_imported_until_it_is_resumed(engine, settings, archive):
    """A pause holds imported calls back as it does those that are sent."""
    source_id = make_source(engine)
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.id == source_id).values(pause="keep"))
    support.bring(engine, settings, [archive], source_id=source_id)
    assert drain(engine, settings, source_id).total == 0
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.id == source_id).values(pause=""))
    assert drain(engine, settings, source_id).total == 150


def test_an_import_that_is_cancelled_stops_where_it_is(engine, settings, archive, small_batches):
    """What was stored before stays, and the row says how much that is; nothing more comes."""
    source_id = make_source(engine)
    asked = support.ask(engine, source_id, [archive])
    batches = []

    def ring(_):
        batches.append(1)
        if len(batches) == 3:
            with Session(engine) as session, writing():
                asking.cancel(session, session.get_one(Import, asked))

    running.run(engine, asked, settings=settings, ring=ring)
    row = support.import_row(engine, asked)
    assert row.state == "cancelled"
    assert 30 <= row.counts["stored"] < 150
    assert len(support.bodies(engine, source_id)) == row.counts["stored"]
    running.run(engine, asked, settings=settings)
    assert len(support.bodies(engine, source_id)) == row.counts["stored"]


def test_who_is_asked_to_stop_leaves_the_rest_to_the_next(engine, settings, archive, small_batches):
    """An orderly stop loses no call and stores none twice; the counts are those of an undisturbed import."""
    source_id = make_source(engine)
    asked = support.ask(engine, source_id, [archive])
    rounds = 0
    while support.import_row(engine, asked).state == "storing":
        running.run(engine, asked, settings=settings, stop=lambda: True)
        rounds += 1
    assert rounds > 5
    assert support.import_row(engine, asked).counts == {
        "read": 200,
        "stored": 150,
        "left_out": 50,
        "known": 0,
    }
    assert messages(engine, source_id) == [c["messageId"] for c in CALLS if c["type"] != "page"]


def test_whoever_lost_an_import_to_another_writes_nothing_more(engine, settings, archive, small_batches):
    """Two workers on one import, as after a long silence, store each call once and count it once."""
    source_id = make_source(engine)
    asked = support.ask(engine, source_id, [archive])
    taken = []

    def ring(_):
        if not taken:
            taken.append(running.run(engine, asked, settings=settings))

    running.run(engine, asked, settings=settings, ring=ring)
    row = support.import_row(engine, asked)
    assert (row.state, row.counts["stored"], row.turn) == ("done", 150, 2)
    assert len(support.bodies(engine, source_id)) == 150


def test_what_waits_for_a_worker_is_found(engine, settings, archive):
    """Just asked for, silent, or not chosen from for a week; not what is worked on, chosen from or ended."""
    source_id = make_source(engine)
    fresh, silent, alive, choosing, old, done = (support.ask(engine, source_id, [archive]) for _ in range(6))
    for import_id, (name, heard) in {
        silent: ("storing", 60),
        alive: ("inspecting", 0),
        choosing: ("choosing", 6 * 86_400),
        old: ("choosing", 8 * 86_400),
        done: ("done", 60),
    }.items():
        state(engine, import_id, name)
        with begin(engine) as connection:
            at = {"heartbeat_at": now() - heard * 1_000_000}
            connection.execute(update(Import).where(Import.id == import_id).values(**at))
    assert turns.stalled(engine) == [fresh, silent, old]
    running.run(engine, old, settings=settings)
    assert support.import_row(engine, old).state == "cancelled"
    running.run(engine, choosing, settings=settings)
    assert support.import_row(engine, choosing).state == "choosing"


def test_two_events_of_one_batch_that_tie_are_received_in_the_order_of_the_file(engine, settings, tmp_path):
    """Of two words of one moment under one message id the later in the file wins, as if posted."""
    told = [support.identify(1, title=title) for title in ("First", "Second", "Third")]
    path = tmp_path / "ties.ndjson"
    path.write_bytes(support.ndjson(told))
    source_id, _ = support.bring(engine, settings, [path])
    drain(engine, settings, source_id)
    assert tables(engine, source_id)[1][0]["title"] == "Third"


def test_an_imported_call_is_received_when_it_is_imported_and_told_when_it_was_told(
    engine, settings, archive
):
    """Retention and the order of receipt see an import; the tables see the time of the call itself."""
    begun = now()
    source_id, _ = support.bring(engine, settings, [archive])
    drain(engine, settings, source_id)
    with engine.connect() as connection:
        rows = connection.execute(select(Event.received_at, Event.occurred_at).order_by(Event.id)).all()
    assert all(begun <= row.received_at <= now() for row in rows)
    assert rows[0].occurred_at == support.START + support.DAY // 2


def test_files_that_are_gone_end_an_import_with_a_reason(engine, settings, archive):
    """A file that somebody moved is a line of the report; an upload's folder that is away says what to do."""
    source_id = make_source(engine)
    asked = support.ask(engine, source_id, [archive])
    archive.unlink()
    running.run(engine, asked, settings=settings)
    row = support.import_row(engine, asked)
    assert (row.state, row.counts) == ("done", {"unreadable": 1, "stored": 0, "known": 0})
    with Session(engine) as session, writing():
        source = session.get_one(Source, source_id)
        lost = asking.begin(
            session, source, [("a", None, 1)], folder="00000000-0000-0000-0000-000000000000"
        ).id
    running.run(engine, lost, settings=settings)
    row = support.import_row(engine, lost)
    assert row.state == "failed"
    assert "DATA_DIR" in row.error
