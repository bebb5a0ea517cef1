"""Numbers are exact: what a venue writes is read to the last digit, or refused."""

import string
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aggregator.domain.errors import NumberRefused
from aggregator.domain.numbers import (
    LIMIT,
    MAX_DECIMALS,
    MAX_TEXT,
    POWERS,
    RATE_ONE,
    decimals_of,
    format_decimal,
    parse_decimal,
    parse_rate,
)
from tests.twins.examples import examples

DIGITS = st.text(string.digits, max_size=20)
EXPONENTS = st.one_of(
    st.just(""),
    st.builds(
        "{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.text("0123", min_size=1, max_size=4)
    ),
)
NUMBERS = st.builds("{}{}{}{}".format, DIGITS, st.sampled_from([".", ""]), DIGITS, EXPONENTS)
"""As venues write them, and a few that are not numbers at all."""

NEAR_NUMBERS = st.text("0123456789..eE+-_ \t\n,'xnaif\u0663\uff11\u00b2", max_size=70)
SCALES = st.integers(0, MAX_DECIMALS)


def expected(text: str, decimals: int) -> Fraction | None:
    """The value on the scale by Python's own decimals; None for what is not ours to read."""
    if len(text) > MAX_TEXT or not set(text) <= set("0123456789.eE+-") or text[:1] in ("+", "-"):
        return None
    try:
        return Fraction(Decimal(text)) * POWERS[decimals]
    except InvalidOperation:
        return None


def parsed(text: str | bytes, decimals: int) -> int | None:
    try:
        return parse_decimal(text, decimals)
    except NumberRefused:
        return None


class TestParsingAgreesWithDecimal:
    @given(text=st.one_of(NUMBERS, NEAR_NUMBERS), decimals=SCALES)
    @example("1e-1", 1)
    @example(".5", 2)
    @example("5.", 2)
    @example("5.e1", 0)
    @example("0e999", 0)
    @example("0.000e-2000", 3)
    @example("1e00000000000002", 0)
    @example("1e3", 0)
    @example("1e-3", 2)
    @example("1E+3", 24)
    @example("", 0)
    @example(".", 0)
    @example("e5", 0)
    @examples(400)
    def test_for_whatever_resembles_a_number(self, text: str, decimals: int) -> None:
        value, result = expected(text, decimals), parsed(text, decimals)
        if value is None or value.denominator != 1:
            assert result is None
        elif result is None:
            assert value >= LIMIT, "refused although it is exact and could be a price"
        else:
            assert result == value

    @given(value=st.decimals(min_value=0, allow_nan=False, allow_infinity=False, places=10), decimals=SCALES)
    @examples(100)
    def test_for_decimals_as_python_writes_them(self, value: Decimal, decimals: int) -> None:
        text = str(abs(value))
        exact = expected(text, decimals)
        assert exact is None or parsed(text, decimals) == (exact if exact.denominator == 1 else None)

    @given(text=NUMBERS, decimals=SCALES)
    @examples(100)
    def test_text_and_bytes_are_read_alike(self, text: str, decimals: int) -> None:
        assert parsed(text, decimals) == parsed(text.encode(), decimals)

    @pytest.mark.parametrize(
        ("text", "decimals", "value"),
        [
            ("61837.63000000", 2, 6183763),
            ("0.00010000", 8, 10_000),
            ("1e-05", 5, 1),
            ("9.121E-7", 10, 9121),
            ("100", 0, 100),
            ("0007", 1, 70),
            ("0", 0, 0),
            ("0.00000000", 2, 0),
        ],
    )
    def test_for_numbers_as_venues_write_them(self, text: str, decimals: int, value: int) -> None:
        assert parse_decimal(text, decimals) == value


class TestRefusal:
    @pytest.mark.parametrize(
        "text",
        [
            *("-1", "-0", "+1", "1e--1", "--1"),
            *("NaN", "nan", "sNaN", "inf", "Infinity", "-inf"),
            *("", " ", ".", "e1", "1e", "1e+", ".e1"),
            *(" 1", "1 ", "1\n", "\t1", "1 0", "\u00a01"),
            *("1_000", "1,000", "1'000", "0x10", "1f", "1.2.3", "1e1.5"),
            *("\u0661\u0662", "\uff11\uff12", "\u00b2", "1\u0660", "\ud800", "1\ud800"),
        ],
    )
    def test_of_signs_blanks_words_and_foreign_digits(self, text: str) -> None:
        with pytest.raises(NumberRefused):
            parse_decimal(text, 8)
        with pytest.raises(NumberRefused):
            decimals_of(text)

    @pytest.mark.parametrize(("text", "decimals"), [("0.001", 2), ("1.00000001", 7), ("1e-3", 2), ("0.5", 0)])
    def test_of_what_is_finer_than_the_scale(self, text: str, decimals: int) -> None:
        with pytest.raises(NumberRefused, match="finer"):
            parse_decimal(text, decimals)

    @pytest.mark.parametrize("text", ["1e49", "1e100", "9" + "0" * 8 + "e999999999"])
    def test_of_exponents_beyond_all_prices(self, text: str) -> None:
        with pytest.raises(NumberRefused, match="too large"):
            parse_decimal(text, 0)

    @pytest.mark.parametrize("text", ["1" * MAX_TEXT, "0." + "0" * (MAX_TEXT - 2)])
    def test_begins_past_the_longest_text(self, text: str) -> None:
        assert parsed(text, MAX_DECIMALS) is not None
        for longer in ("0" * (MAX_TEXT + 1 - len(text)) + text, "0" + text, "0" * 5000 + text):
            if len(longer) > MAX_TEXT:
                with pytest.raises(NumberRefused):
                    parse_decimal(longer, MAX_DECIMALS)
                with pytest.raises(NumberRefused):
                    decimals_of(longer)

    @given(text=st.one_of(st.text(st.characters()), st.binary(), NEAR_NUMBERS), decimals=SCALES)
    @examples(150)
    def test_is_the_only_way_in_which_reading_fails(self, text: str | bytes, decimals: int) -> None:
        value = parsed(text, decimals)
        assert value is None or value >= 0

    @given(text=st.one_of(st.text(st.characters()), NUMBERS, NEAR_NUMBERS))
    @examples(150)
    def test_by_the_two_readers_agrees(self, text: str) -> None:
        try:
            decimals = decimals_of(text)
        except NumberRefused:
            assert parsed(text, MAX_DECIMALS) is None
        else:
            assert decimals >= 0


class TestZeros:
    @given(value=st.integers(0, 10**12), decimals=st.integers(0, 12), zeros=st.integers(0, 12))
    @examples(100)
    def test_beyond_the_scale_change_nothing(self, value: int, decimals: int, zeros: int) -> None:
        text = f"{Decimal(value).scaleb(-decimals):.{decimals}f}"
        padded = (text if "." in text else text + ".") + "0" * zeros
        assert parse_decimal(padded, decimals) == value

    @pytest.mark.parametrize(
        ("text", "decimals"),
        [
            *(("0.0100", 2), ("1", 0), ("100", 0), ("1.0", 0), ("0", 0), ("0.000", 0), ("0.00000001", 8)),
            *(("1e-5", 5), ("1E-05", 5), ("1.50e1", 0), ("100e-1", 0), ("12e-1", 1), ("1.25e-2", 4), ("0e-9", 0)),
        ],
    )
    def test_at_the_end_need_no_decimals(self, text: str, decimals: int) -> None:
        assert decimals_of(text) == decimals

    @given(text=NUMBERS)
    @examples(150)
    def test_decimals_of_is_the_coarsest_scale_that_holds_the_number(self, text: str) -> None:
        value = expected(text, 0)
        if value is None:
            return
        decimals = decimals_of(text)
        assert (value * 10**decimals).denominator == 1
        assert decimals == 0 or (value * 10 ** (decimals - 1)).denominator != 1


class TestWriting:
    @given(value=st.integers(-(10**30), 10**30), decimals=SCALES)
    @examples(150)
    def test_is_plain_and_exact(self, value: int, decimals: int) -> None:
        text = format_decimal(value, decimals)
        assert Fraction(Decimal(text)) == Fraction(value, 10**decimals)
        assert set(text) <= set("0123456789.-")
        assert "." not in text or text[-1] not in "0."
        assert text.lstrip("-") == "0" or text.lstrip("-").startswith("0.") or text.lstrip("-")[0] != "0"

    @given(value=st.integers(0, 10**35), decimals=SCALES)
    @examples(150)
    def test_and_reading_again_gives_the_same(self, value: int, decimals: int) -> None:
        assert parse_decimal(format_decimal(value, decimals), decimals) == value

    @pytest.mark.parametrize(
        ("value", "decimals", "text"),
        [(0, 8, "0"), (10**8, 8, "1"), (1, 8, "0.00000001"), (150, 2, "1.5"), (-5, 1, "-0.5"), (100, 0, "100")],
    )
    def test_looks_as_a_person_would_write_it(self, value: int, decimals: int, text: str) -> None:
        assert format_decimal(value, decimals) == text


def test_a_fee_of_a_tenth_percent_is_a_thousandth_of_one() -> None:
    assert parse_rate("0.001") * 1000 == RATE_ONE
    assert parse_rate("0.1e-2") * 1000 == RATE_ONE
