"""Types of custom attributes: the narrowest that holds every value, and how a value is shown under it."""

from decimal import Decimal
from itertools import permutations

import pytest

from webapp.domain.attributes import TYPES, never_timestamp, plain, shown, type_of, widen


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (True, "Boolean"),
        (1, "Integer"),
        (Decimal("1.0"), "Decimal"),
        ("2026-09-01", "Timestamp"),
        ("2026-09-01T10:15:14Z", "Timestamp"),
        ("2026-09-01 10:15:14", "String"),
        ("2026-02-30", "String"),
        ("01234", "String"),
        ("true", "String"),
        (never_timestamp("2026-09-01"), "String"),
    ],
)
def test_a_value_has_the_type_it_was_told_in(value, type_):
    """JSON's own types are kept; a text is a Timestamp only in its form."""
    assert type_of(value) == type_


def test_integer_widens_to_decimal_and_any_other_mixture_to_string():
    """Whatever the order and the repeats, the same values give the same type."""
    for one, other in permutations(TYPES, 2):
        wide = "Decimal" if {one, other} == {"Integer", "Decimal"} else "String"
        assert widen([one, other]) == widen([other, one, other]) == wide
        assert widen([one, one]) == one
    assert widen(["Integer", "Decimal", "Boolean"]) == "String"
    assert widen([]) == "String"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("2.50", "2.5"),
        ("1.0", "1"),
        ("1E+3", "1000"),
        ("100.00", "100"),
        ("1e-7", "0.0000001"),
        ("-0.0", "0"),
        ("0.10000000000000000000000000000000000000001", "0.10000000000000000000000000000000000000001"),
    ],
)
def test_decimals_are_printed_plainly(number, text):
    """No exponent, no trailing zeros, and no digit that was told is lost."""
    assert plain(Decimal(number)) == text


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (True, "Boolean", "true"),
        (False, "String", "false"),
        (7, "Integer", "7"),
        (7, "Decimal", "7"),
        (7, "String", "7"),
        (Decimal("2.50"), "Decimal", "2.5"),
        (Decimal("2.50"), "String", "2.5"),
        ("2026-09-01T12:15:14+02:00", "Timestamp", "2026-09-01T10:15:14Z"),
        ("2026-09-01", "Timestamp", "2026-09-01T00:00:00Z"),
        ("2026-09-01T12:15:14+02:00", "String", "2026-09-01T12:15:14+02:00"),
        (never_timestamp("2026-09-01"), "String", "2026-09-01"),
        ("x" * 300, "String", "x" * 255),
        (Decimal("0." + "1" * 300), "String", "0." + "1" * 253),
        (Decimal("0." + "1" * 300), "Decimal", "0." + "1" * 300),
    ],
)
def test_a_value_is_shown_under_the_type_of_its_attribute(value, type_, text):
    """Timestamps in UTC, decimals plainly, and under String everything as it was told, cut at 255."""
    assert shown(value, type_) == text
