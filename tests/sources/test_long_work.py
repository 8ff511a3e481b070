"""Re-sync, rebuild and deletion from the pages, with their questions, progress and ends."""

import io
import zipfile

import pytest
from sqlalchemy import select, update

from tests.people import post, signed_in
from tests.sources.support import add_source, change, fill, key, row, soup, text
from webapp.database import begin
from webapp.models import AuditLine, Login, Source, Sync, now
from webapp.services import syncs
from webapp.services.sync_log import result_in_words

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def work(engine):
    """All long work there is."""
    with engine.connect() as connection:
        return connection.execute(select(Sync.__table__).order_by(Sync.id)).all()


def move(engine, sync_id, **columns):
    """Change a piece of work, as its worker does."""
    with begin(engine) as connection:
        connection.execute(update(Sync).where(Sync.id == sync_id).values(**columns))


@pytest.fixture
def filled(app, engine, settings):
    """Public id of a source with two people and one company, whose policy was changed since."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id)
    change(engine, key(app, public_id), policy="company")
    return public_id


def test_a_re_sync_runs_from_question_to_result(app, engine, settings, filled):
    """The question counts, the work is queued, progress asks every second, and the end says what changed."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    answer = post(client, path + "/new", path, kind="resync")
    assert answer.location == f"/sources/{filled}/settings#sync"
    sync = work(engine)[0]
    assert (sync.kind, sync.state, sync.policy) == ("resync", "queued", "company")

    part = soup(client.get(f"{path}/{sync.id}", headers={"HX-Request": "true"}))
    assert text(part, ".progress__label") == "Re-syncing…"
    assert part.select_one("#sync")["hx-trigger"].startswith("load delay:1s")

    move(engine, sync.id, state="running", started_at=now() - 4_000_000, done=1, total=3)
    part = soup(client.get(f"{path}/{sync.id}", headers={"HX-Request": "true"}))
    assert text(part, ".progress__figures") == "1 of 3 people and companies · 33 % · about 8 s left"
    assert part.select_one("progress")["value"] == "1"

    move(engine, sync.id, state="queued", started_at=None, done=0, total=0)
    syncs.run(engine, sync.id, settings=settings)
    part = soup(client.get(f"{path}/{sync.id}", headers={"HX-Request": "true"}))
    assert "Re-sync is done" in text(part, ".notice")
    assert "−1 customer, −1 contact" in text(part, ".notice")
    assert not part.select_one("#sync").has_attr("hx-trigger")
    history = soup(client.get(f"/sources/{filled}/settings"))
    assert text(history, "#resync tbody tr").startswith("Re-sync")
    assert row(app, filled).applied_policy == "company"


def test_a_policy_changed_meanwhile_waits_for_a_re_sync_of_its_own(app, engine, settings, filled):
    """The one under way finishes with the policy it was asked for with, and says that another is needed."""
    client, path = signed_in(app), f"/sources/{filled}"
    post(client, f"{path}/syncs/new", f"{path}/syncs", kind="resync")
    change(engine, key(app, filled), policy="user")
    (sync,) = work(engine)
    syncs.run(engine, sync.id, settings=settings)
    assert (row(app, filled).policy, row(app, filled).applied_policy) == ("user", "company")
    part = soup(client.get(f"{path}/syncs/{sync.id}", headers={"HX-Request": "true"}))
    assert "was chosen meanwhile, so another re-sync is needed." in text(part, ".notice")
    assert "The tables still follow" in text(soup(client.get(f"{path}/settings")), "#resync")
    post(client, f"{path}/syncs/new", f"{path}/syncs", kind="resync")
    syncs.run(engine, work(engine)[1].id, settings=settings)
    assert row(app, filled).applied_policy == "user"
    part = soup(client.get(f"{path}/syncs/{sync.id}", headers={"HX-Request": "true"}))
    assert "another re-sync is needed" not in text(part, ".notice")


def test_a_silent_worker_is_told_of_instead_of_a_time_that_grows(app, engine, filled):
    """After a kill the page says that the work goes on, and promises no number of seconds."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    post(client, path + "/new", path, kind="resync")
    sync = work(engine)[0]
    ago = now() - 12_000_000
    move(engine, sync.id, state="running", started_at=ago - 1, heartbeat_at=ago, done=1, total=3)
    part = soup(client.get(f"{path}/{sync.id}", headers={"HX-Request": "true"}))
    assert text(part, ".progress__figures") == "1 of 3 people and companies · 33 %"
    assert "another one goes on from here" in text(part, "#sync-silent")
    move(engine, sync.id, heartbeat_at=now())
    part = soup(client.get(f"{path}/{sync.id}", headers={"HX-Request": "true"}))
    assert part.select_one("#sync-silent") is None


def said(client, path):
    """What a page answers in passing."""
    return [" ".join(each.text.split()) for each in soup(client.get(path)).select(".toast__text")]


def test_asking_twice_joins_the_work_under_way(app, engine, filled):
    """A double click, or two people, start one re-sync; the log has one line, and who joins is told so."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    settings_page = f"/sources/{filled}/settings"
    post(client, path + "/new", path, kind="resync")
    assert said(client, settings_page) == ["Re-sync started."]
    post(client, path + "/new", path, kind="resync")
    assert said(client, settings_page) == ["A re-sync is under way already."]
    post(client, path + "/new", path, kind="rebuild")
    assert said(client, settings_page) == [
        "A re-sync is under way already, so no rebuild from events was started. Ask again when it has ended."
    ]
    change(engine, key(app, filled), policy="user")
    post(client, path + "/new", path, kind="resync")
    assert said(client, settings_page) == [
        "A re-sync is under way already, with what was chosen when it was asked for. "
        "Ask again when it has ended."
    ]
    assert [sync.kind for sync in work(engine)] == ["resync"]
    with engine.connect() as connection:
        lines = connection.scalars(select(AuditLine.action).where(AuditLine.action.like("source.re%"))).all()
    assert lines == ["source.resynced"]


def test_what_is_being_cancelled_is_not_what_was_asked_for(app, engine, filled):
    """Whoever asks while the way back is gone has to ask again."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    post(client, path + "/new", path, kind="resync")
    post(client, path + "/new", f"{path}/{work(engine)[0].id}/cancellation")
    post(client, path + "/new", path, kind="resync")
    assert said(client, f"/sources/{filled}/settings")[-1] == (
        "A re-sync is being cancelled. Ask again when it has ended."
    )


def test_a_rebuild_that_is_shown_cannot_be_cancelled(app, engine, settings, filled):
    """After the swap no button offers it, a line says why, and a late request changes and logs nothing."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    post(client, path + "/new?kind=rebuild", path, kind="rebuild")
    sync = work(engine)[0]
    page = f"{path}/{sync.id}"
    assert soup(client.get(page)).select("#sync-cancel")
    move(engine, sync.id, state="running", phase="swap", started_at=now(), heartbeat_at=now())
    assert soup(client.get(page)).select("#sync-cancel")
    move(engine, sync.id, phase="attached")
    shown = soup(client.get(page))
    assert not shown.select("#sync button")
    assert "can no longer be taken back" in text(shown, "#sync-no-way-back")
    assert post(client, f"/sources/{filled}/settings", f"{page}/cancellation").status_code == 303
    assert "can no longer be taken back" in said(client, f"/sources/{filled}/settings")[-1]
    assert work(engine)[0].state == "running"
    with engine.connect() as connection:
        assert "source.cancelled" not in connection.scalars(select(AuditLine.action)).all()


def test_a_re_sync_can_be_cancelled(app, engine, settings, filled):
    """Cancelled before it ran, it leaves everything as it was, and says so."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    post(client, path + "/new", path, kind="resync")
    sync = work(engine)[0]
    post(client, f"{path}/{sync.id}", f"{path}/{sync.id}/cancellation")
    page = soup(client.get(f"{path}/{sync.id}"))
    assert text(page, ".progress__label") == "Cancelling…"
    assert not page.select("#sync button")
    syncs.run(engine, sync.id, settings=settings)
    assert "was cancelled" in text(soup(client.get(f"{path}/{sync.id}")), "#sync .notice")
    assert row(app, filled).applied_policy == "user"


def test_a_rebuild_is_asked_for_by_its_own_name(app, engine, settings, filled):
    """It says that it folds the whole inbox, and ends with the same tables."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    page = soup(client.get(path + "/new?kind=rebuild"))
    assert "whole inbox" in page.select_one("#rebuild-question").text
    post(client, path + "/new?kind=rebuild", path, kind="rebuild")
    sync = work(engine)[0]
    syncs.run(engine, sync.id, settings=settings)
    assert work(engine)[0].state == "done"
    part = soup(client.get(f"{path}/{sync.id}"))
    assert "Rebuild from events is done" in text(part, "#sync .notice")


@SQLITE
def test_work_of_another_source_is_not_found(app, engine, filled):
    """The address of a piece of work names its source, and no other opens it."""
    other, _ = add_source(app, "Other")
    client = signed_in(app)
    post(client, f"/sources/{filled}/syncs/new", f"/sources/{filled}/syncs", kind="resync")
    sync_id = work(engine)[0].id
    assert client.get(f"/sources/{filled}/syncs/{sync_id}").status_code == 200
    assert client.get(f"/sources/{other}/syncs/{sync_id}").status_code == 404
    answer = post(client, f"/sources/{filled}/syncs/new", f"/sources/{filled}/syncs", kind="magic")
    assert answer.status_code == 400


def test_the_question_before_a_deletion_has_real_numbers(app, filled):
    """What goes and what stays is counted, not described."""
    page = soup(signed_in(app).get(f"/sources/{filled}/deletion/new"))
    lines = [" ".join(line.get_text(" ").split()) for line in page.select("[data-report] li")]
    assert lines == [
        "2 customers and 2 contacts from this source are removed.",
        "3 events are erased, and the webhook URL stops working at once.",
        "0 MRR adjustments and 0 connected subscriptions are lost.",
        "Merged customers would stay, with the data of the other source; there are none.",
    ]
    assert page.select_one("[download]")["href"] == f"/sources/{filled}/export.zip"


def test_export_first_gives_both_files(app, engine, filled):
    """A zip of CSV, made while it is sent, and one line in the log."""
    answer = signed_in(app).get(f"/sources/{filled}/export.zip")
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert {"customers.csv", "contacts.csv"} <= set(archive.namelist())
        assert b"ada@example.com" in archive.read("contacts.csv")
    with engine.connect() as connection:
        assert "source.exported" in connection.scalars(select(AuditLine.action)).all()


@pytest.mark.parametrize("typed", ["", "production 2", "Prod"])
def test_a_deletion_wants_the_name(app, engine, filled, typed):
    """A wrong name deletes nothing and says what to type."""
    client, path = signed_in(app), f"/sources/{filled}/deletion"
    answer = post(client, path + "/new", path, name=typed)
    assert answer.status_code == 422
    page = soup(answer)
    assert text(page, "#confirm-name-error") == "Type the name of this source, Production, to delete it."
    assert row(app, filled).state == "active"
    assert work(engine) == []


def test_a_deletion_hides_the_source_at_once_and_ends_with_nothing(app, engine, settings, filled):
    """Nothing of it is shown any more but its progress; in the end its row is gone and its name free."""
    client, path = signed_in(app), f"/sources/{filled}/deletion"
    answer = post(client, path + "/new", path, name=" production ")
    assert answer.location == "/sources"
    page = soup(client.get("/sources"))
    assert text(page, ".badge--deleting") == "Deleting"
    assert "is being deleted" in text(page, ".toast__text")
    assert client.get(f"/sources/{filled}/customers").status_code == 404
    add_source(app)
    syncs.run(engine, work(engine)[0].id, settings=settings)
    assert row(app, filled) is None
    with engine.connect() as connection:
        assert connection.scalars(select(Source.name)).all() == ["Production"]
        uuid = filled.removeprefix("ds_")
        lines = connection.scalars(select(AuditLine.action).where(AuditLine.source_uuid == uuid)).all()
    assert lines == ["source.erased"]


@SQLITE
def test_htmx_is_led_to_the_sources_after_a_deletion(app, filled):
    """From the dialog the whole page moves on, and a wrong name changes the dialog alone."""
    client, path = signed_in(app), f"/sources/{filled}/deletion"
    token = soup(client.get(path + "/new")).select_one("form#deletion input[name=csrf_token]")["value"]
    htmx = {"HX-Request": "true"}
    wrong = client.post(path, data={"csrf_token": token, "name": "x"}, headers=htmx)
    assert (wrong.status_code, "<html" in wrong.text) == (422, False)
    right = client.post(path, data={"csrf_token": token, "name": "Production"}, headers=htmx)
    assert (right.status_code, right.headers["HX-Redirect"]) == (204, "/sources")


@SQLITE
def test_a_deletion_wants_a_recent_password(app, engine, filled):
    """Whoever finds an open browser deletes nothing: the password is asked for again."""
    client, path = signed_in(app), f"/sources/{filled}/deletion"
    with begin(engine) as connection:
        connection.execute(update(Login).values(confirmed_at=now() - 3600 * 1_000_000))
    answer = client.get(path + "/new")
    assert answer.status_code == 303
    assert "/confirm" in answer.location
    token = soup(client.get(f"/sources/{filled}/settings")).select_one("input[name=csrf_token]")["value"]
    assert "/confirm" in client.post(path, data={"csrf_token": token, "name": "Production"}).location
    assert row(app, filled).state == "active"


@SQLITE
def test_pages_work_while_the_queue_is_away(app, engine, filled):
    """Nobody hears the bell in these tests; work is accepted all the same and found by the sweeper."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    assert post(client, path + "/new", path, kind="resync").status_code == 303
    assert syncs.stalled(engine) == [work(engine)[0].id]


def test_a_rebuild_says_whether_all_came_out_as_it_was():
    """Equal, or how many differ and some of them by name."""
    done = Sync(kind="rebuild", state="done", result={"compared": 1200, "differing": 0})
    same = "All 1,200 ids and companies came out as they were."
    assert result_in_words(done) == f"No customer or contact was added or removed. {same}"
    done.result = {
        "compared": 1200,
        "differing": 5,
        "examples": ["u1", "u2", "u3", "u4"],
        "customers_added": 1,
    }
    assert result_in_words(done) == (
        "+1 customer. 5 of 1,200 ids and companies came out differently, such as u1, u2, u3."
    )
    done.state = "cancelled"
    assert result_in_words(done) == "Everything is as it was before."
