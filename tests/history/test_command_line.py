"""`source import`: the same from a terminal, to its end, without a worker."""

import gzip

import pytest
from sqlalchemy import update

from tests.history import support
from tests.sources.support import add_source, key
from webapp.database import begin
from webapp.models import Import, Source, now

CALLS = support.calls(80)


@pytest.fixture
def run(app):
    """Runs a command of `flask`: its exit status, what it printed, and its one line of error."""

    def invoke(*arguments):
        found = app.test_cli_runner().invoke(args=[str(each) for each in arguments])
        return found.exit_code, found.stdout, found.stderr

    return invoke


@pytest.fixture
def archive(tmp_path):
    """A folder with two gzipped files, the second with a broken line."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "1.gz").write_bytes(gzip.compress(support.ndjson(CALLS[:40])))
    (tmp_path / "logs" / "2.gz").write_bytes(gzip.compress(support.ndjson([*CALLS[40:], b"{broken"])))
    (tmp_path / "logs" / "dummy-object.txt").write_text("a test")
    return tmp_path / "logs"


def test_an_import_ends_with_a_report_and_folded_events(app, engine, archive, run):
    """When the command returns, the tables hold what it brought; the files stay where they are."""
    source, _ = add_source(app)
    status, out, _ = run("source", "import", source, archive)
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines == [
        "Calls read: 80",
        "Stored: 60",
        "Known already: 0",
        "Not chosen: 20",
        "Could not be read: 1",
        "2.gz, line 41: it is not JSON (character 1)",
        "Folded: 60 events: 60 imported, 0 ignored, 0 failed, 0 duplicates",
    ]
    assert (archive / "1.gz").exists()
    status, out, _ = run("source", "import", source, archive / "1.gz", archive / "2.gz")
    assert status == 0
    assert "Known already:           60" in out


def test_the_choice_of_a_person_is_that_of_the_command(app, engine, archive, run):
    """--from, --to, --types and --events take what the page's form takes."""
    source, _ = add_source(app)
    options = (
        "--from",
        "2026-01-02",
        "--to",
        "2026-01-05",
        "--types",
        "identify,track",
        "--events",
        "Signed Up",
    )
    status, out, _ = run("source", "import", source, archive, *options)
    wanted = [
        c
        for c in CALLS
        if "02" <= c["timestamp"][8:10] <= "05"
        and (c["type"] == "identify" or (c["type"] == "track" and c["event"] == "Signed Up"))
    ]
    assert status == 0
    assert f"Stored:                  {len(wanted)}\n" in out
    assert len(support.bodies(engine, key(app, source))) == len(wanted)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("ds_nothing", "{logs}"), "There is no source ds_nothing."),
        (("{source}", "{logs}/none"), "does not exist"),
        (("{source}", "{logs}", "--from", "soon"), "“soon” is no day."),
        (("{source}", "{logs}", "--types", "page"), "Calls of the type “page” are not imported."),
        (("{source}", "{logs}/dummy-object.txt"), "Nothing in these files could be read."),
        (("{source}",), "Missing argument 'PATH...'."),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_goes_wrong_is_one_line_and_a_status(app, archive, run, arguments, error):
    """A script can tell that nothing was imported, and a person why."""
    source, _ = add_source(app)
    status, _, said = run("source", "import", *(a.format(source=source, logs=archive) for a in arguments))
    assert status != 0
    assert error in said
    assert said.startswith("Error: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_paused_source_keeps_what_the_command_stored(app, engine, archive, run):
    """The command says that it waits, and folds nothing."""
    source, _ = add_source(app)
    with begin(engine) as connection:
        connection.execute(update(Source).values(pause="keep"))
    status, out, _ = run("source", "import", source, archive)
    assert status == 0
    assert "paused" in out
    assert "Folded" not in out


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_import_that_nobody_works_on_is_told_by_the_doctor(app, engine, archive, run):
    """Whoever waits for an import finds out that no worker runs."""
    source, _ = add_source(app)
    asked = support.ask(engine, key(app, source), [archive])
    assert "Production: its import" not in run("doctor")[1]
    with begin(engine) as connection:
        old = {"heartbeat_at": now() - 300_000_000}
        connection.execute(update(Import).where(Import.id == asked).values(**old))
    assert "Production: its import has said nothing for 5 min." in run("doctor")[1]
