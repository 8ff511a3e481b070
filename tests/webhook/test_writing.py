"""Group commit: many threads, several processes, and a database that is slow, locked or away."""

import os
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from tests import factories
from tests.webhook.conftest import add_url, at_once, behind, eventually
from webapp.database import begin, make_engine, run
from webapp.models import Event, Source, WebhookUrl, now
from webapp.services import inbox, ingest, tokens
from webapp.services.event_rows import MOST
from webapp.services.inbox import Call, Notes, Verdict
from webapp.services.ingest import Unavailable, Writer, impatient
from webapp.webhook.app import Webhook
from webapp.webhook.threads import Threads
from webapp.webhook.tokens import Tokens


def call(line, *events, **fields):
    """A call with events."""
    return Call(tokens.digest(line.token), now(), events, **fields)


def is_busy(writer):
    """Whether a transaction of it runs."""
    return any(hand.busy_since for hand in writer._hands)


@pytest.fixture
def writers(settings, line):
    """Four writers, as four processes have them."""
    engines = [impatient(make_engine(settings)) for _ in range(4)]
    made = [Writer(engine, line.rung.extend) for engine in engines]
    yield made
    for writer, engine in zip(made, engines, strict=True):
        writer.close()
        engine.dispose()


def test_many_threads_are_answered_after_their_own_commit(line):
    """Whoever hears 200 has an event in the database at that moment."""
    missing = []

    def sender(number):
        for turn in range(10):
            body = b'{"sender":%d,"turn":%d}' % (number, turn)
            assert line.post(body).json == {"received": 1}
            with line.engine.connect() as connection:
                if not connection.scalar(select(func.count()).where(Event.body == body)):
                    missing.append(body)

    at_once(*(lambda number=number: sender(number) for number in range(12)))
    assert not missing
    assert len(line.bodies()) == 120
    assert line.tally() == (120, 0)


def test_the_same_events_by_many_writers_at_once_are_kept_once(line, writers):
    """Retries may meet in several processes; nobody waits in a circle, and one row remains of each."""
    events = [b'{"n":%d}' % number for number in range(40)]
    verdicts = []

    def sender(writer, turn):
        for round_ in range(5):
            mixed = events[turn * 7 :] + events[: turn * 7]
            if round_ % 2:
                mixed = mixed[::-1]
            verdicts.append(writer.submit(call(line, *mixed)))

    at_once(
        *(lambda writer=writer, turn=turn: sender(writer, turn) for turn, writer in enumerate(writers * 2))
    )
    assert verdicts == [Verdict.ACCEPTED] * 40
    assert line.tally() == (40 * 40, 0)
    assert line.drain().total == 40 * 40
    assert sorted(line.bodies()) == sorted(events)
    assert line.tally() == (40 * 40, 40 * 40 - 40)


def test_events_keep_the_order_in_which_their_calls_came(line):
    """Calls that are committed together are stored as they came, and each event in the order of its call."""
    calls = [call(line, b"3", b"2"), call(line, b"2", b"1", b"4"), call(line)]
    with begin(line.engine) as connection:
        written = inbox.write(connection, calls, Notes(), writer=3)
    assert written.verdicts == [Verdict.ACCEPTED] * 3
    assert written.stored == {line.source_id}
    assert line.bodies() == [b"3", b"2", b"2", b"1", b"4"]
    assert line.tally() == (5, 0)


def test_a_call_that_cannot_be_stored_does_not_take_its_neighbours_along(line):
    """One poisonous row costs its own call, and no other."""
    outcomes = {}

    def send(name, one):
        try:
            outcomes[name] = line.writer.submit(one)
        except Unavailable:
            outcomes[name] = None

    poison = Call(tokens.digest(line.token), now(), [b"fine", [b"none of the database's types"]])
    good = {f"good {number}": call(line, b"%d" % number) for number in range(10)}
    at_once(*(lambda n=n, c=c: send(n, c) for n, c in [*good.items(), ("poison", poison)]))
    assert outcomes == dict.fromkeys(good, Verdict.ACCEPTED) | {"poison": None}
    assert sorted(line.bodies()) == sorted(b"%d" % number for number in range(10))


def test_a_sender_that_takes_its_answer_badly_does_not_take_its_neighbours_along(line):
    """Answers are given in the writer's thread, which goes on whatever comes of them."""
    heard = SimpleQueue()

    def fail(verdict):
        heard.put(verdict)
        raise RuntimeError("it hung up")

    line.writer.hand_in(call(line, b"1"), fail)
    assert heard.get(timeout=30) is Verdict.ACCEPTED
    assert line.writer.submit(call(line, b"2")) is Verdict.ACCEPTED
    assert line.bodies() == [b"1", b"2"]


def test_what_was_committed_is_not_stored_again_when_ringing_fails(line):
    """Nobody is woken then but by the sweeper; the events are there once, and are counted once."""

    def ring(_sources):
        raise RuntimeError("no thread can be started")

    writer = Writer(line.engine, ring)
    told = SimpleQueue()
    with begin(line.engine):  # both wait, so they are stored together
        for body in (b"1", b"2"):
            writer.hand_in(call(line, body), told.put)
    assert [told.get(timeout=30) for _ in range(2)] == [Verdict.ACCEPTED] * 2
    writer.close()
    assert line.bodies() == [b"1", b"2"]
    assert line.tally() == (2, 0)


def test_a_call_of_very_many_events_is_stored_in_their_order(line):
    """There is no limit of count, and PostgreSQL is given so many at once that it ends each in time."""
    many = 2 * MOST + 7
    assert line.post(b"[" + b",".join(b"%d" % number for number in range(many)) + b"]").json == {
        "received": many
    }
    assert line.bodies() == [b"%d" % number for number in range(many)]
    assert line.tally() == (many, 0)


def test_a_locked_database_is_answered_within_segments_patience(line):
    """A lock that does not end makes Segment come again; nothing is half stored, and later all is well."""
    lock = {
        "sqlite": "PRAGMA user_version = 1",  # takes the write lock inside the transaction
        "postgresql": "LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
    }
    with begin(line.engine) as connection:
        connection.execute(text(lock[line.engine.dialect.name]))
        reply = line.post({"a": 1})  # comes back although the lock is still held
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert line.bodies() == []
    assert line.post({"a": 1}).json == {"received": 1}


def test_a_stuck_writer_turns_further_calls_away_at_once(line):
    """Threads must not pile up behind a lock: the dashboard needs some too."""
    lock = {"sqlite": "SELECT 1", "postgresql": "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"}
    patient = make_engine(line.settings)
    writer = Writer(patient, line.rung.extend)
    verdicts = []
    first = Thread(target=lambda: verdicts.append(writer.submit(call(line, b"1"))))
    with begin(line.engine) as connection:
        connection.execute(text(lock[line.engine.dialect.name]))
        first.start()
        assert eventually(lambda: writer._is_overloaded(1))
        with pytest.raises(Unavailable, match="too many calls wait already"):
            writer.submit(call(line, b"2"))
    first.join()
    assert verdicts == [Verdict.ACCEPTED]
    assert line.bodies() == [b"1"]
    writer.close()
    patient.dispose()


def test_a_call_that_gave_up_waiting_for_the_lock_is_not_stored(line, monkeypatch):
    """Its sender was told so and comes again; until then there is nothing of it."""
    monkeypatch.setattr(ingest, "PATIENCE", 0.3)
    lock = {"sqlite": "SELECT 1", "postgresql": "LOCK TABLE webhook_urls, sources IN ACCESS EXCLUSIVE MODE"}
    patient = make_engine(line.settings)
    writer = Writer(patient, line.rung.extend)
    with begin(line.engine) as connection:
        connection.execute(text(lock[line.engine.dialect.name]))
        with pytest.raises(Unavailable, match="does not answer"):
            writer.submit(call(line, b"1"))
    assert eventually(lambda: not is_busy(writer))
    assert line.bodies() == []
    writer.close()
    patient.dispose()


def test_the_writer_goes_on_after_all_who_waited_have_given_up(line, monkeypatch):
    """A thread that ended just then would leave whoever comes next waiting for nobody."""
    monkeypatch.setattr(ingest, "PATIENCE", 0.3)
    lock = {"sqlite": "SELECT 1", "postgresql": "LOCK TABLE webhook_urls, sources IN ACCESS EXCLUSIVE MODE"}
    patient = make_engine(line.settings)
    writer = Writer(patient, line.rung.extend)

    def give_up(event):
        with pytest.raises(Unavailable, match="does not answer"):
            writer.submit(call(line, event))

    with begin(line.engine) as connection:
        connection.execute(text(lock[line.engine.dialect.name]))
        first = Thread(target=give_up, args=[b"1"])
        first.start()
        assert eventually(lambda: is_busy(writer))
        give_up(b"2")
        first.join()
    assert eventually(lambda: not writer._pile.size)
    hands = writer._hands
    hands[0].join(0.2)
    assert all(hand.is_alive() for hand in hands)
    writer.close()
    patient.dispose()


def test_a_statement_of_the_driver_fails_as_any_other(line):
    """Its error is SQLAlchemy's, tells nothing of what was written, and the connection goes on."""
    mark = {"sqlite": "?", "postgresql": "%s"}[line.engine.dialect.name]
    statement = f"INSERT INTO webhook_urls (source_id, token_digest) VALUES ({mark}, {mark})"
    with line.engine.connect() as connection:
        with pytest.raises(IntegrityError) as failed, connection.begin():
            run(connection, statement, (line.source_id, b"a secret"))
        assert "secret" not in str(failed.value)
        assert run(connection, f"SELECT {mark}", ("well",)).fetchall() == [("well",)]


def test_a_database_that_is_away_is_a_503(line, settings, tmp_path):
    """Segment keeps the event and comes again."""
    away = {
        "sqlite": f"sqlite:///{tmp_path}/nowhere/tributary.db",
        "postgresql": settings.database_url.replace("/test_", "/nobody_"),
    }
    engine = make_engine(replace(settings, database_url=away[line.engine.dialect.name]))
    line.webhook = Webhook(behind, settings, Writer(engine, line.rung.extend), Tokens(engine))
    reply = line.post({"a": 1})
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert "nothing of it was kept" in reply.message
    engine.dispose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_drain_does_not_hold_up_calls(line):
    """A worker holds its source's row while it works; calls go on, and what they owe that row follows.

    On SQLite every transaction waits for the one before it, so there a batch is kept short instead.
    """
    with begin(line.engine) as connection:
        held = select(Source.id).where(Source.id == line.source_id)
        connection.execute(held.with_for_update(key_share=True))
        assert line.post({"a": 1}).json == {"received": 1}
        assert line.post({}).status == 200
        assert line.source().last_event_at is None
    assert eventually(lambda: line.source().last_event_at is not None)
    assert eventually(lambda: line.source().connection_tested_at is not None)


def test_no_call_in_flight_gets_into_a_source_that_is_deleted(line):
    """From the moment of deletion nothing is added, or an erased source would come back with one event."""
    accepted = []

    def sender():
        number = 0
        while True:
            number += 1
            body = b'{"n":%d}' % number
            if line.post(body).status != 200:
                return
            accepted.append(body)

    def deleter():
        assert eventually(lambda: len(accepted) > 20)
        line.set(state="deleting", name_key=None)
        counted.append(len(line.bodies()))

    counted: list[int] = []
    at_once(sender, deleter)
    assert counted == [len(line.bodies())]
    assert len(accepted) == counted[0]


def test_an_unknown_token_among_others_in_one_transaction_is_forbidden_alone(line):
    """Calls that are committed together are judged one by one."""
    with begin(line.engine) as connection:
        ended = add_url(connection, line.source_id)
        connection.execute(
            WebhookUrl.__table__.update()
            .where(WebhookUrl.token_digest == tokens.digest(ended))
            .values(replaced_at=now() - 2, ends_at=now() - 1)
        )
        refusing = factories.source(connection, "Paused", pause="refuse")
        paused = add_url(connection, refusing)
    calls = [call(line, b"1")] + [
        Call(tokens.digest(token), now(), [b"2"]) for token in ("nobody's", ended, paused)
    ]
    with begin(line.engine) as connection:
        verdicts = inbox.write(connection, calls, Notes(), writer=0).verdicts
    assert verdicts == [Verdict.ACCEPTED, Verdict.FORBIDDEN, Verdict.FORBIDDEN, Verdict.PAUSED]
    assert line.bodies() == [b"1"]
    assert line.url(ended).late_calls == 1


def test_the_bell_is_rung_after_the_commit_and_for_events_only(line):
    """A worker that is woken finds the event; a call without any wakes nobody."""
    assert line.post({"a": 1}).status == 200
    assert eventually(lambda: line.rung == [line.source_id])
    assert line.post(b"[]").status == 200
    assert line.rung == [line.source_id]


def test_a_thread_that_stores_calls_is_kept_on_one_processor_and_one_that_makes_a_page_has_all():
    """Who stores calls shares one processor, as they share Python's lock; a page may take any."""
    everywhere = os.sched_getaffinity(0)
    found = []

    def thread(threads):
        for move in (threads.gather, threads.gather, threads.spread):
            move()
            found.append(os.sched_getaffinity(0))

    threads = Threads()
    for _ in range(2):
        at_once(lambda: thread(threads))
    assert found[0] == found[1] == found[3] == found[4]
    assert len(found[0]) == 1
    assert found[2] == found[5] == everywhere
