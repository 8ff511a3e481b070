"""What `make audit` makes of what the advisory service tells, and what stands in its bill of materials."""

import base64
import json
import re

import pytest

from jobs import audit
from jobs.audit import CLEAN, KNOWN_AGAINST, UNKNOWN, verdict
from tests.conftest import ROOT
from webapp.security import HTMX_URL

SOUND = {"name": "flask", "version": "3.1.3", "vulns": []}
SILENT = {"name": "redis", "skip_reason": "Dependency not found and could not be audited"}
BROKEN = {
    "name": "jinja2",
    "version": "3.0.0",
    "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["3.0.1"], "aliases": [], "description": ""}],
}
# Stand-ins for the two tools, which are installed apart: the bill of one package, and what a test wants said.
BILL = """
import json, sys
path = sys.argv[sys.argv.index("--output-file") + 1]
if {fails}:
    sys.exit("no such file")
open(path, "w").write(json.dumps({{"components": [{{"name": "flask"}}]}}))
"""
ASKED = """
import sys
said = {said}
out, err, status = said[sys.argv[sys.argv.index("--requirement") + 1]]
print(err, file=sys.stderr)
print(out)
sys.exit(status)
"""
NO_NET = (
    "Traceback (most recent call last):\n  File ...\n"
    "requests.exceptions.ProxyError: HTTPSConnectionPool(host='...'): Max retries exceeded"
)
CRASH = "Traceback (most recent call last):\n  File ...\nAttributeError: 'NoneType' has no attribute 'vulns'"


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Run the command with what pip-audit says of each file: (exit status, lines)."""
    monkeypatch.setattr(audit, "TOOLS", tmp_path)
    monkeypatch.setattr(audit, "BILL", tmp_path / "sbom.cdx.json")

    def run(*said, no_bill=False):
        (tmp_path / "cyclonedx_py.py").write_text(BILL.format(fails=no_bill))
        by_file = dict(zip(audit.ASKED_ABOUT, said, strict=True))
        (tmp_path / "pip_audit.py").write_text(ASKED.format(said=by_file))
        status = audit.main()
        printed = capsys.readouterr()
        return status, (printed.out + printed.err).splitlines()

    return run


def report(*packages):
    """What pip-audit prints about some packages, with its own words and its exit status."""
    found = any(package.get("vulns") for package in packages)
    return json.dumps({"dependencies": packages, "fixes": []}), "said beside it", int(found)


def test_packages_that_nothing_is_known_against_are_clean():
    """Each was asked about, and the number of them is told."""
    assert verdict({"dependencies": [SOUND]}) == (["nothing is known against any of 1 packages"], CLEAN)


def test_what_is_known_against_a_package_is_told_with_its_cure():
    """Also when the service is silent about another one."""
    lines, status = verdict({"dependencies": [SOUND, SILENT, BROKEN]})
    assert lines[0] == "jinja2 3.0.0: PYSEC-2099-1, mended in 3.0.1"
    assert "NOT AUDITED: of 1 of 3 packages" in lines[1]
    assert status == KNOWN_AGAINST


def test_silence_is_no_clean_bill():
    """A service that does not know a package is told, and fails the command."""
    lines, status = verdict({"dependencies": [SOUND, SILENT]})
    assert lines[0].startswith("NOT AUDITED: ")
    assert status == UNKNOWN


@pytest.mark.parametrize(
    ("packages", "status"),
    [
        ([SOUND, SOUND, SOUND], CLEAN),
        ([SOUND, SOUND, SILENT], UNKNOWN),
        ([SILENT, BROKEN, SOUND], KNOWN_AGAINST),
        ([BROKEN, SOUND, SILENT], KNOWN_AGAINST),
    ],
)
def test_the_command_ends_as_the_worst_of_its_files(told, packages, status):
    """What is known against one is never hidden behind what another says, or does not say."""
    ended, lines = told(*(report(package) for package in packages))
    assert ended == status
    assert [line.split(":")[0] for line in lines[1:]] == list(audit.ASKED_ABOUT)


@pytest.mark.parametrize(
    ("out", "err", "status", "why"),
    [
        ("", NO_NET, 1, "the advisory service could not be reached"),
        (
            "",
            "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed",
            1,
            "could not be reached",
        ),
        ("", "requests.exceptions.ReadTimeout: read timed out", 1, "could not be reached"),
        ("", CRASH, 1, "pip-audit itself failed"),
        ("", "No module named pip_audit", 1, "pip-audit itself failed"),
        ("", "ERROR:pip_audit._cli:invalid requirements input: requirements.txt", 1, "itself failed"),
        ("", "", 139, "pip-audit itself failed"),
        ("[]", "", 0, "pip-audit itself failed"),
        ("{}", "", 0, "pip-audit itself failed"),
    ],
)
def test_a_tool_that_failed_is_told_apart_from_a_service_that_nobody_reached(told, out, err, status, why):
    """To the one one comes back later, the other has to be mended; neither is a clean bill."""
    ended, lines = told((out, err, status), report(SOUND), report(SOUND))
    assert ended == UNKNOWN
    assert lines[1].startswith("requirements.txt: NOT AUDITED: ")
    assert why in lines[1]
    assert err.splitlines()[-1:] == [] or err.splitlines()[-1] in lines[1]
    assert "nothing is known against any of 1 packages" in lines[2]


def test_without_a_bill_of_materials_nothing_is_asked(told):
    """The tool's own words say why."""
    ended, lines = told(report(SOUND), report(SOUND), report(SOUND), no_bill=True)
    assert ended == UNKNOWN
    assert lines == ["The bill of materials could not be written: no such file"]


def test_the_bill_holds_the_script_that_every_page_runs(told, tmp_path):
    """With the version and the hash by which pages load it, though no list of Python's packages has it."""
    told(report(SOUND), report(SOUND), report(SOUND))
    flask, htmx = json.loads((tmp_path / "sbom.cdx.json").read_text())["components"]
    assert flask["name"] == "flask"
    head = (ROOT / "templates" / "_head.html").read_text()
    version = re.search(r"/npm/htmx.org@([\d.]+)/", head)[1]
    assert htmx["purl"] == f"pkg:npm/htmx.org@{version}"
    assert htmx["externalReferences"][0]["url"] == HTMX_URL
    integrity = re.search(r'integrity="sha384-([^"]+)"', head)[1]
    assert htmx["hashes"] == [{"alg": "SHA-384", "content": base64.b64decode(integrity).hex()}]
