"""Checks as such, whatever they look at."""

from webapp.services import checkup
from webapp.services.checkup import Finding, work


def test_a_check_that_fails_does_not_hide_the_others():
    """A broken part is a finding; what comes after it is still looked at."""

    def broken_part():
        yield Finding("First", checkup.OK, "")
        raise RuntimeError("secret")

    found = list(checkup.run((broken_part, lambda: [Finding("Last", checkup.OK, "")])))
    assert [finding.check for finding in found] == ["First", "Broken part", "Last"]
    assert "secret" not in found[1].message


def test_lengths_of_time_are_told_in_one_unit():
    """Nobody has to divide."""
    seconds = (5, 119, 120, 7199, 7200, 172_799, 172_800)
    told = [work.length(number * 1_000_000) for number in seconds]
    assert told == ["5 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]
