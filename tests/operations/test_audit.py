"""What `make audit` makes of what the advisory service tells."""

from jobs.audit import CLEAN, KNOWN_AGAINST, UNKNOWN, verdict

SOUND = {"name": "flask", "version": "3.1.3", "vulns": []}
SILENT = {"name": "redis", "skip_reason": "Dependency not found and could not be audited"}
BROKEN = {
    "name": "jinja2",
    "version": "3.0.0",
    "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["3.0.1"], "aliases": [], "description": ""}],
}


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
    """A service that cannot be reached, or does not know a package, is told, and fails the command."""
    for report in (None, {"dependencies": [SOUND, SILENT]}):
        lines, status = verdict(report)
        assert lines[0].startswith("NOT AUDITED: ")
        assert status == UNKNOWN
