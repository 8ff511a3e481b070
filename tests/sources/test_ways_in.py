"""The write key and the signatures on a source's settings page."""

import pytest
from sqlalchemy import select

from tests.people import post, signed_in
from tests.projection.support import receive
from tests.sources.support import add_source, change, key, row, soup, text
from webapp.database import begin
from webapp.models import AuditLine, WebhookUrl
from webapp.services import tokens

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def shown_key(page):
    """The write key that a page shows."""
    return page.select_one("#write-key-shown")["value"]


def secret_row(engine, digest):
    """The row of a secret."""
    with engine.connect() as connection:
        return connection.execute(select(WebhookUrl.__table__).where(WebhookUrl.token_digest == digest)).one()


def test_the_write_key_stands_beside_the_url_and_is_another_secret(app, engine):
    """It is there from the first moment, sealed in the database, with the host that senders want to know."""
    public_id, token = add_source(app)
    page = soup(signed_in(app).get(f"/sources/{public_id}/settings"))
    found = shown_key(page)
    assert found != token
    stored = secret_row(engine, tokens.key_digest(found))
    assert (stored.kind, stored.source_id) == ("key", key(app, public_id))
    assert found.encode() not in stored.token_sealed
    assert page.select_one("#sender-host")["value"] == "http://localhost"


@pytest.mark.parametrize("grace", [0, 3600, 86_400])
def test_a_new_key_leaves_the_url_and_a_new_url_the_key(app, engine, grace):
    """Each is replaced for itself, with a grace of its own."""
    public_id, token = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}"
    old = shown_key(soup(client.get(path + "/settings")))
    answer = post(client, path + "/write-key/new", path + "/write-key", grace=str(grace))
    assert answer.location == path + "/settings#write-key"
    page = soup(client.get(path + "/settings"))
    assert "New write key created." in text(page, ".toast__text")
    new = shown_key(page)
    ended = secret_row(engine, tokens.key_digest(old))
    assert ended.ends_at - ended.replaced_at == grace * 1_000_000
    assert ended.token_sealed is None
    assert len(page.select("#write-key tbody tr")) == 1
    assert not page.select("#webhook tbody tr")
    assert secret_row(engine, tokens.digest(token)).replaced_at is None
    post(client, path + "/webhook-url/new", path + "/webhook-url", grace="0")
    assert secret_row(engine, tokens.key_digest(new)).replaced_at is None
    with engine.connect() as connection:
        acts = connection.scalars(select(AuditLine.action).order_by(AuditLine.id)).all()
    assert acts[-2:] == ["source.key_regenerated", "source.regenerated"]


@SQLITE
def test_regenerating_the_key_asks_first(app):
    """The page of its own asks what the dialog asks, in words about the key."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/write-key"
    page = soup(client.get(path + "/new"))
    assert text(page, "main .card h2") == "Regenerate the write key?"
    assert "with the old key" in text(page, "#grace-key-0-hint")
    answer = post(client, path + "/new", path, grace="soon")
    assert answer.status_code == 422
    assert text(soup(answer), "#grace-key-error") == "Choose when the old one ends."


@SQLITE
def test_a_source_from_before_there_were_keys_gets_one_on_request(app, engine):
    """An upgrade makes no secrets that nobody asked for."""
    public_id, _ = add_source(app)
    with begin(engine) as connection:
        connection.execute(WebhookUrl.__table__.delete().where(WebhookUrl.kind == "key"))
    client, path = signed_in(app), f"/sources/{public_id}"
    page = soup(client.get(path + "/settings"))
    assert not page.select("#write-key-shown, #regenerate-key")
    assert text(page, "#write-key button") == "Create a write key"
    post(client, path + "/settings", path + "/write-key")
    page = soup(client.get(path + "/settings"))
    assert text(page, ".toast__text") == "New write key created."
    assert secret_row(engine, tokens.key_digest(shown_key(page))).replaced_at is None


@SQLITE
def test_secrets_under_another_key_are_not_shown(app, engine):
    """After the secret key was lost the page says what still works and what does not."""
    public_id, _ = add_source(app)
    sealed = tokens.seal("a key of long ago", "anything")
    change(engine, key(app, public_id), signing_sealed=sealed)
    with begin(engine) as connection:
        connection.execute(WebhookUrl.__table__.update().values(token_sealed=sealed))
    page = soup(signed_in(app).get(f"/sources/{public_id}/settings"))
    assert not page.select("#write-key-shown, #shared-secret")
    assert "go on working" in text(page, "#write-key .notice")
    assert "are answered 503" in text(page, "#signature .notice")


def test_signatures_are_asked_for_and_no_more(app, engine, settings):
    """The secret is sealed, shown to administrators again, and forgotten when it is not needed."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}"
    page = soup(client.get(path + "/settings"))
    assert len(page.select_one("#secret")["value"]) >= 40
    answer = post(client, path + "/settings", path + "/signature", secret="  ein Geheimnis ✓ ")
    assert answer.location == path + "/settings#signature"
    sealed = row(app, public_id).signing_sealed
    assert tokens.unseal(settings.secret_key, sealed) == "ein Geheimnis ✓"
    page = soup(client.get(path + "/settings"))
    assert page.select_one("#shared-secret")["value"] == "ein Geheimnis ✓"
    post(client, path + "/settings", path + "/signature/removal")
    assert row(app, public_id).signing_sealed is None
    with engine.connect() as connection:
        acts = connection.scalars(select(AuditLine.action).order_by(AuditLine.id)).all()
        details = connection.scalars(select(AuditLine.details)).all()
    assert acts[-2:] == ["source.signatures_asked", "source.signatures_unasked"]
    assert "Geheimnis" not in str(details)


@SQLITE
@pytest.mark.parametrize("secret", ["", "  short  ", "x" * 256, "eight\x00chars", "with\nlines in it"])
def test_a_secret_that_nobody_could_sign_with_is_refused(app, secret):
    """The person is told why, and calls go on as before."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}"
    post(client, path + "/settings", path + "/signature", secret=secret)
    assert row(app, public_id).signing_sealed is None
    assert "secret" in text(soup(client.get(path + "/settings")), ".toast--error")


@SQLITE
def test_a_viewer_sees_neither_secret_nor_changes_one(app, engine):
    """Keys and secrets are for administrators."""
    public_id, _ = add_source(app)
    path = f"/sources/{public_id}"
    found = shown_key(soup(signed_in(app).get(path + "/settings")))
    change(engine, key(app, public_id), signing_sealed=tokens.seal("any", "secret words"))
    client = signed_in(app, "viewer")
    page = soup(client.get(path + "/settings"))
    assert not page.select("#write-key, #signature, #test-event")
    assert found not in str(page)
    headers = {"X-CSRFToken": page.select_one("input[name=csrf_token]")["value"]}
    for act in ("/write-key", "/signature", "/signature/removal", "/test-event"):
        assert client.post(path + act, headers=headers).status_code == 403, act
    assert client.get(path + "/write-key/new").status_code == 403


@SQLITE
@pytest.mark.parametrize("mode", ["keep", "refuse"])
def test_a_paused_source_says_what_waits_and_what_senders_are_told(app, engine, mode):
    """Which of the two pauses it is, and how many events wait for its end."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}"
    choices = [choice.text for choice in soup(client.get(path + "/settings")).select("#pause .choice__hint")]
    assert choices[0].startswith("Events are stored and wait.")
    assert "503" in choices[1]
    receive(engine, key(app, public_id), [{"n": 1}, {"n": 2}])
    post(client, path + "/settings", path + "/pause", mode=mode)
    page = soup(client.get(path + "/settings"))
    assert text(page, "#waiting-events") == "2 events wait."
    assert ("503" in text(page, "#pause")) == (mode == "refuse")
