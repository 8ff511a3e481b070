"""Traits: keys, names, texts that are too long, ids, and countries."""

import time

import pytest

from webapp.domain import segment, traits, wire
from webapp.domain.attributes import shown, type_of
from webapp.domain.countries import country
from webapp.domain.ids import read_id
from webapp.domain.traits import key_of, split_name


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("plan", "plan"),
        ("createdAt", "created_at"),
        ("HTTPServer", "http_server"),
        ("userID", "user_id"),
        ("IDOfUser", "id_of_user"),
        ("line2Text", "line2_text"),
        ("A", "a"),
        ("aB", "a_b"),
        ("ABC", "abc"),
        ("First Name", "first_name"),
        ("first-name", "first_name"),
        ("__first___name__", "first_name"),
        ("$plan", "plan"),
        ("größe", "gr_e"),
        ("MRR (€)", "mrr"),
        ("€", ""),
        ("", ""),
        ("a\x00b\ud800", "a_b"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_key_is_the_name_in_snake_case_and_ascii(name, key):
    """One key for every spelling of a name."""
    assert key_of(name) == key
    assert key_of(key) == key


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Ada", ("Ada", None)),
        ("Ada Lovelace", ("Ada", "Lovelace")),
        ("Augusta  Ada King", ("Augusta  Ada", "King")),
        ("Ada\u2003Lovelace", ("Ada", "Lovelace")),
    ],
)
def test_a_name_is_split_at_its_last_word(name, parts):
    """One word clears the last name; otherwise the last word is the last name and the rest the first."""
    assert tuple(split_name(name).values()) == parts


def test_a_standard_attribute_is_cut_at_1024_characters_and_a_text_at_255():
    """The cut is told in a warning, and a value that just fits is not cut."""
    traits = {
        "title": "t" * 1025,
        "phone": "p" * 1024,
        "bio": "b" * 256,
        "note": "n" * 255,
        "list": ["l" * 300],
    }
    reading = segment.read({"type": "identify", "userId": "u1", "traits": traits}, 0)
    assert reading.contact == {"title": "t" * 1024, "phone": "p" * 1024}
    assert reading.contact_custom == {"bio": "b" * 255, "note": "n" * 255, "list": "l" * 255}
    assert reading.warnings == [("cut", "title"), ("cut", "bio"), ("cut", "list")]


def test_a_list_of_one_date_is_no_timestamp():
    """A list is one text, whatever stands in it, and is shown as it was told."""
    event = {"type": "identify", "userId": "u1", "traits": {"on": ["2026-09-01"], "at": "2026-09-01"}}
    told = segment.read(event, 0).contact_custom
    assert {key: type_of(value) for key, value in told.items()} == {"on": "String", "at": "Timestamp"}
    assert {shown(value, "String") for value in told.values()} == {"2026-09-01"}


def test_what_lies_deeper_is_json_as_it_was_told_whatever_the_texts_hold():
    """Digits and order stay, also beside half a surrogate pair, which is shown as U+FFFD."""
    for text, shown_text in (("x", "x"), ("\\ud800", "\N{REPLACEMENT CHARACTER}")):
        deeper = '{"z":[1.50,{"é":null}],"%s":"\\u0000%s"}'
        traits = '{"a":{"b":{"c":%s}}}' % (deeper % (text, text))
        body = b'{"type":"identify","userId":"u1","traits":%b}' % traits.encode()
        told = segment.read(wire.decode(body), 0).contact_custom
        assert told == {"a_b_c": deeper % (shown_text, shown_text)}


def test_a_number_of_more_digits_than_databases_compute_with_is_text():
    """As an integer past 64 bits is; and what fits is a Decimal to its last digit."""
    for digits, type_ in ((1023, "Decimal"), (1024, "String"), (1_000_000, "String")):
        body = b'{"type":"identify","userId":"u1","traits":{"n":1.%b}}' % (b"7" * digits)
        reading = segment.read(wire.decode(body), 0)
        assert type_of(reading.contact_custom["n"]) == type_
        assert reading.warnings == ([("cut", "n")] if type_ == "String" else [])


def test_a_very_long_name_has_the_key_that_its_beginning_has():
    """A megabyte of a name is read as fast as 255 characters of it, and means the same."""
    assert key_of("€" * 1_000_000 + "aB" * 500_000) == "a" + "_ba" * 84 + "_b"
    assert key_of("é" * 1_000_000 + "Plan") == "plan"
    assert key_of("plan" + "-" * 1_000_000 + "Name") == "plan_name"


def test_a_large_event_is_read_in_no_time():
    """A hundred thousand traits cost less than a second of one processor, and twice as many cost twice."""
    spent = []
    for number in (50_000, 100_000):
        event = {"type": "Send Contact", "user_id": "u1"} | {f"Trait{n}": n for n in range(number)}
        started = time.process_time()
        assert len(segment.read(event, 0).contact_custom) == number
        spent.append(time.process_time() - started)
    assert spent[1] < max(4 * spent[0], 1)


STAND_INS = (
    *("undefined", "NULL", "None", "nil", "NaN", "true", "False", "0", "Anonymous", "guest", "unknown"),
    *("[object Object]", "not_authenticated", " null "),
)
NO_IDS = (True, False, 0, 1.5, [], ["u1"], {}, {"id": 1}, "x" * 256, 10**300)


@pytest.mark.parametrize("value", STAND_INS + NO_IDS)
def test_a_junk_id_is_absent_with_a_warning(value):
    """Stand-ins for a missing id never tie two people to each other."""
    assert read_id(value) == (None, "junk_id")


@pytest.mark.parametrize("value", [None, "", "  ", "\u2003"])
def test_a_blank_id_is_silently_absent(value):
    """Nothing was told, so there is nothing to warn of."""
    assert read_id(value) == (None, None)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (" u1\u00a0", "u1"),
        (42, "42"),
        (-1, "-1"),
        (10**40, "1" + "0" * 40),
        ("00", "00"),
        ("nobody", "nobody"),
        ("a\x00b\ud800", "a\x00b\ud800"),
        ("x" * 255, "x" * 255),
    ],
)
def test_an_id_is_trimmed_and_otherwise_as_received(value, told):
    """Ids are compared as received; an integer is its digits."""
    assert read_id(value) == (told, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fr", "FR"),
        ("France", "FR"),
        ("FRANCE", "FR"),
        ("FRA", "FR"),
        ("gbr", "GB"),
        ("UK", "GB"),
        ("Côte d'Ivoire", "CI"),
        ("côte d’ivoire", "CI"),
        ("Türkiye", "TR"),
        ("turkey", "TR"),
        ("Hong Kong", "HK"),
        ("Czechia", "CZ"),
        ("Bosnia & Herzegovina", "BA"),
        ("zz", "ZZ"),
        ("Freedonia", "Freedonia"),
        ("u1", "u1"),
        ("", ""),
    ],
)
def test_a_country_is_its_two_letters_where_the_text_names_one(text, told):
    """CLDR's English names and the ISO codes in any case; anything else stays as told."""
    assert country(text) == told


def test_names_that_never_come_again_fill_no_memory():
    """The keys of lists of names are kept for when they come again: some of them, and none that is huge."""
    for number in range(3000):
        assert traits.keys_of({f"Trait {number}": 1, "userId": 2}) == (f"trait_{number}", "user_id")
    huge = "x" * 10_000
    assert traits.keys_of({huge: 1}) == (traits.key_of(huge),)
    assert len(traits._known_keys) <= traits._MOST_KNOWN
    assert (huge,) not in traits._known_keys
