"""The page of a customer: whose each value is, and all that people do to it, each of which can be undone."""

import pytest

from tests import people
from tests.tables.conftest import texts
from tests.tables.test_records import facts


def flat(element) -> str:
    return " ".join(element.get_text(" ").split())


def test_each_value_of_a_merged_customer_says_which_source_told_it(pair):
    """The primary's stands, the other's adds; billing values have no event."""
    page = pair.page(pair.merge())
    known = facts(page, "attributes")
    assert known["Name"][0] == "ACME"
    assert known["Name"][1].startswith("Billing")
    assert "event" not in known["Name"][1]
    assert known["Email"][0] == "hello@acme.com"
    assert "event" in known["Email"][1]
    custom = facts(page, "custom-attributes")
    assert (custom["tier"][0], custom["plan"][0]) == ("2", "pro")


def test_the_sources_behind_a_customer_say_who_merged_them_and_undo_parts_them(pair):
    """Both are what they were, at their own addresses."""
    before = {name: (pair.path(name), pair.row(name).name) for name in ("b1", "g1")}
    page = pair.page(pair.merge())
    assert pair.path("b1") == pair.path("g1")
    said = [flat(each) for each in page.select("#origins .merged")]
    assert len(said) == 1
    assert said[0].startswith("by administrator@example.com")
    decision = page.select_one("#origins input[name=decision]")["value"]
    parted = pair.send(pair.path("b1"), f"{pair.path('b1')}/unmerges", decision=decision)
    assert "Undone" in texts(parted, ".toast")[0]
    assert {name: (pair.path(name), pair.row(name).name) for name in before} == before
    again = pair.send(pair.path("b1"), f"{pair.path('b1')}/unmerges", decision=decision)
    assert "already" in texts(again, ".toast")[0]


def test_a_data_source_customer_is_separated_whatever_merged_it(pair):
    """One of them leaves, and a second time there is nothing to take out."""
    page = pair.page(pair.merge())
    origin = page.select("#origins input[name=origin]")[1]["value"]
    pair.send(pair.path("b1"), f"{pair.path('b1')}/separations", origin=origin)
    assert pair.path("b1") != pair.path("g1")
    refused = pair.send(pair.path("b1"), f"{pair.path('b1')}/separations", origin=origin)
    assert "Nothing was changed" in texts(refused, ".toast--error")[0]


def test_an_address_from_before_a_merge_leads_on(pair):
    """Old links to a customer and to a contact within another go where these are shown."""
    old = pair.path("g1")
    contacts = {pair.contact("ada@acme.com"), pair.contact("Ada@acme.com")}
    new = pair.merge()
    answer = pair.client.get(old)
    assert (answer.status_code, answer.location) == (303, new)
    (gone,) = contacts - {pair.contact("Ada@acme.com")}
    answer = pair.client.get(gone)
    assert (answer.status_code, answer.location) == (303, pair.contact("Ada@acme.com"))


def test_a_merged_contact_shows_both_sources_and_its_identifiers(pair):
    """One human, told of twice: each value says by whom."""
    pair.merge()
    page = pair.page(pair.contact("Ada@acme.com"))
    known = facts(page, "attributes")
    assert known["Title"][0] == "CTO"
    assert known["Title"][1].startswith("Billing")
    assert known["First name"][0] == "Ada"
    assert "event" in known["First name"][1]
    assert len(page.select("#origins tbody tr")) == 2
    assert texts(page, "#tied tbody th") == ["u1"]


def test_status_owner_and_tags_are_set_and_taken_back(pair):
    """What is set shows in the head; bad input is said and kept."""
    path = pair.path("g1")
    form = {"status": "Qualified Lead", "owner": "administrator@example.com", "tags": "vip,  eu , vip"}
    page = pair.send(path, f"{path}/handling", **form)
    assert texts(page, ".tags .badge") == ["eu", "vip"]
    row = pair.row("g1")
    assert (row.lead_status, row.owner, row.tags) == ("Qualified Lead", form["owner"], "eu, vip")
    refused = pair.send(path, f"{path}/handling", 422, **form | {"owner": "nobody@example.com", "tags": "x"})
    assert "Nobody with this address" in texts(refused, "#handling .notice")[0]
    assert refused.select_one("#tags")["value"] == "x"
    assert pair.row("g1").tags == "eu, vip"
    bad = pair.send(path, f"{path}/handling", 422, **form | {"tags": "t" * 300})
    assert "255" in texts(bad, "#handling .notice")[0]
    pair.send(path, f"{path}/handling", status="New Lead", owner="", tags="")
    assert (pair.row("g1").owner, pair.row("g1").tags) == (None, "")


def test_the_status_of_who_pays_is_not_set_by_hand(paying):
    """It follows from subscriptions; there is no field for it, and a made-up form is refused."""
    path = paying.path("b1")
    assert paying.page(path).select("#handling [name=status]") == []
    refused = paying.send(path, f"{path}/handling", 422, status="New Lead")
    assert "follows from its subscriptions" in texts(refused, "#handling .notice")[0]


def test_an_attribute_is_set_by_hand_cleared_and_taken_back(pair):
    """Over what sources tell, with the name of who did it; then as if nothing had been."""
    path = pair.path("g1")
    page = pair.send(path, f"{path}/values/email", value="sales@acme.com")
    value, origin = facts(page, "attributes")["Email"]
    assert value.startswith("sales@acme.com")
    assert origin.startswith("set by hand by administrator@example.com")
    form = pair.page(f"{path}/values/email")
    assert "hello@acme.com" in flat(form.select_one("#known"))
    page = pair.send(path, f"{path}/values/email", clear="1")
    assert facts(page, "attributes")["Email"][1].startswith("cleared by hand")
    pair.send(path, f"{path}/values/email/removal")
    assert pair.row("g1").email == "hello@acme.com"
    pair.send(path, f"{path}/values/custom.plan", value="free")
    assert pair.row("g1").custom["plan"] == "free"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("email", "nobody", "no e-mail"), ("custom.tier", "two", "number"), ("lead_created_at", "soon", "time")],
)
def test_a_value_of_another_type_is_refused_and_kept_in_the_form(pair, key, value, said):
    """Nothing typed is lost, and it says what would do."""
    path = pair.path("b1")
    page = pair.send(path, f"{path}/values/{key}", 422, value=value)
    assert said in texts(page, ".field__error")[0]
    assert page.select_one("#value")["value"] == value


def test_a_contact_s_attribute_is_set_by_hand_and_taken_back(pair):
    """As a customer's."""
    path = pair.contact()
    page = pair.send(path, f"{path}/values/title", value="Countess")
    assert facts(page, "attributes")["Title"][0].startswith("Countess")
    page = pair.send(path, f"{path}/values/title/removal")
    assert facts(page, "attributes")["Title"][0].startswith("—")


def test_notes_are_written_changed_and_deleted_by_who_wrote_them(pair):
    """Newest first, on customers and contacts; others read them only."""
    for path in (pair.path("g1"), pair.contact()):
        pair.send(path, f"{path}/notes", text="First\nline")
        page = pair.send(path, f"{path}/notes", text="<b>Second</b>")
        assert texts(page, ".notes__text") == ["<b>Second</b>", "First line"]
        edit = page.select_one(".notes a")["href"]
        assert pair.page(edit).select_one("#text").text.strip() == "<b>Second</b>"
        page = pair.send(edit, edit, text="Third")
        assert texts(page, ".notes__text")[0] == "Third"
        assert "edited" in flat(page.select_one(".notes li"))
        refused = pair.send(edit, edit, 422, text="   ")
        assert "some text" in texts(refused, ".field__error")[0]
        page = pair.send(path, f"{edit}/deletion")
        assert texts(page, ".notes__text") == ["First line"]
    other = pair.app.test_client()
    people.sign_in(other, email="linus@example.com")
    note = pair.page(pair.path("g1")).select_one(".notes a")["href"]
    assert other.get(note).status_code == 404
    assert people.post(other, pair.path("g1"), f"{note}/deletion").status_code == 404


def test_notes_follow_a_merge_and_part_again(pair):
    """What was written on either stands on the one; undone, each has its own."""
    pair.send(pair.path("g1"), f"{pair.path('g1')}/notes", text="on Segment’s")
    pair.send(pair.path("b1"), f"{pair.path('b1')}/notes", text="on billing’s")
    page = pair.page(pair.merge())
    assert texts(page, ".notes__text") == ["on billing’s", "on Segment’s"]
    decision = page.select_one("#origins input[name=decision]")["value"]
    pair.send(pair.path("b1"), f"{pair.path('b1')}/unmerges", decision=decision)
    assert texts(pair.page(pair.path("g1")), ".notes__text") == ["on Segment’s"]


def test_who_may_not_change_reads_everything_and_changes_nothing(paying):
    """A viewer sees values, notes and subscriptions, no forms; made-up ones are turned away."""
    path = paying.merge()
    viewer = people.signed_in(paying.app, "viewer")
    page = viewer.get(path)
    assert page.status_code == 200
    assert "Save" not in page.text
    assert "values/" not in page.text
    for form in ("handling", "notes", "merges", "unmerges", "separations", "connections", "told-apart"):
        assert people.post(viewer, "/profile", f"{path}/{form}").status_code == 403
    assert viewer.get(f"{path}/merge").status_code == 403
    assert paying.client.post(f"{path}/notes", data={"text": "x"}).status_code == 400
