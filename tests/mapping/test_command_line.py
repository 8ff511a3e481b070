"""`source mapping`: print a mapping, set it from a file, and rebuild."""

import json

from tests.cli.test_sources import complaint, run, told
from tests.mapping.test_applying import TIER, customs, identify
from tests.sources.support import add_source, fill, key


def test_a_mapping_is_printed_set_and_applied(app, engine, settings, tmp_path):
    """What is printed can be loaded again; a rebuild applies it."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id, [identify(1, plan="pro")])
    assert json.loads(told(run(app, "source", "mapping", public_id))) == {"rules": []}
    file = tmp_path / "mapping.json"
    file.write_text(json.dumps(TIER | {"tracks": ["Signed Up"]}))
    said = told(run(app, "source", "mapping", public_id, "--file", file))
    assert said.splitlines()[0] == "Saved."
    assert f"source rebuild {public_id}" in said
    printed = told(run(app, "source", "mapping", public_id))
    assert json.loads(printed) == TIER | {"tracks": ["Signed Up"]}
    file.write_text(printed)
    assert told(run(app, "source", "mapping", public_id, "--file", file)).startswith("It was that already.")
    told(run(app, "source", "rebuild", public_id))
    assert customs(engine, key(app, public_id)) == [{"tier": "pro"}]
    assert told(run(app, "source", "mapping", public_id, "--file", file)) == "It was that already.\n"


def test_a_file_that_is_no_mapping_is_refused_in_one_line(app, tmp_path):
    """It says what is wrong, and nothing is changed."""
    public_id, _ = add_source(app)
    file = tmp_path / "mapping.json"
    for text, said in (
        ("nonsense", "is not JSON"),
        ("[]", "no JSON object"),
        ('{"rule": []}', "no mapping"),
        ('{"rules": [{"call": "page", "path": "x", "to": "ignore"}]}', "no path"),
        ('{"rules": [{"call": "group", "path": "traits.x", "to": "contact.custom.email"}]}', "standard"),
        ("[" * 100_000, "is not JSON"),
    ):
        file.write_text(text)
        assert said in complaint(run(app, "source", "mapping", public_id, "--file", file))
    assert json.loads(told(run(app, "source", "mapping", public_id))) == {"rules": []}
