"""Units: what people may type is a public contract, so the golden file changes only by addition."""

import json
import math
import re
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.units import ALIASES, UNITS, UnitError, choose, conversion, resolve
from tests.support.official import document

GOLDEN = Path(__file__).parents[1] / "golden" / "unit_aliases.json"
CONVERTIBLE = [(a, b) for a, b in permutations(UNITS.values(), 2) if a.dimension == b.dimension]


def convert(value: float, source: str, target: str) -> float:
    return conversion(resolve(source), resolve(target)).apply(value)


def test_the_alias_table_is_the_golden_one() -> None:
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == ALIASES


def test_no_text_stands_for_two_units() -> None:
    texts = [text for unit in UNITS.values() for text in {unit.code, unit.symbol, *unit.aliases}]

    assert sorted(texts) == sorted(set(texts))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("%", "P1"), ("degC", "CEL"), ("°C", "CEL"), ("ºC", "CEL"), ("℃", "CEL"), ("C", "CEL"), ("celsius", "CEL"),
        ("ug/m3", "GQ"), ("µg/m³", "GQ"), ("μg/m³", "GQ"), ("hPa", "A97"), ("ppm", "59"), ("ppb", "61"),
        ("dB", "2N"), ("dBA", "2N"), ("dB(A)", "2N"), ("m/s", "MTS"), ("km/h", "KMH"), ("lux", "LUX"), ("mm", "MMT"),
        ("V", "VLT"), ("mV", "2Z"), ("µS/cm", "G42"), ("l/m2", "MMT"), (" degC ", "CEL"), ("deg  C", "CEL"),
        ("CEL", "CEL"), ("GQ", "GQ"), ("A97", "A97"), ("2N", "2N"),
    ],
)  # fmt: skip
def test_what_people_type(typed: str, code: str) -> None:
    assert resolve(typed).code == code


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("hpa", "got 'hpa'; did you mean hPa"),
        ("HPA", r"hectolitre of pure alcohol; for hectopascal write hPa \(its code is A97\)"),
        ("Celcius", "did you mean celsius"),
        ("ug/m", "did you mean ug/m3"),
        ("cel", "did you mean"),
        ("mv", "did you mean mV"),
        ("", "write one of the units"),
        ("parsec²/fortnight", "expected a unit such as degC, %, ug/m3 or a UN/CEFACT code such as CEL, got"),
    ],
)
def test_a_unit_is_never_guessed(typed: str, told: str) -> None:
    with pytest.raises(UnitError, match=told):
        resolve(typed)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (45.2, "%", "C62", 0.452), (100, "%", "C62", 1.0), (7, "%", "C62", 0.07), (68, "degF", "CEL", 20.0),
        (32, "degF", "CEL", 0.0), (-40, "degF", "CEL", -40.0), (0, "degC", "FAH", 32.0), (273.15, "K", "CEL", 0.0),
        (-273.15, "degC", "K", 0.0), (21.5, "degC", "K", 294.65), (1013.25, "mbar", "A97", 1013.25),
        (101325, "Pa", "A97", 1013.25), (29.92, "inHg", "A97", 1013.2075888), (36, "km/h", "MTS", 10.0),
        (1, "kn", "MTS", 0.514444444444), (10, "mph", "MTS", 4.4704), (0.0315, "mg/m3", "GQ", 31.5),
        (0.4, "ppm", "61", 400.0), (0.04, "%", "59", 400.0), (3, "l/m2", "MMT", 3.0), (0.1, "in", "MMT", 2.54),
        (3610, "mV", "VLT", 3.61), (math.pi, "rad", "DD", 180.0), (1, "l/h", "MQS", 2.77777777778e-07),
    ],
)  # fmt: skip
def test_conversions(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == expected


def test_zero_never_comes_out_negative() -> None:
    assert str(convert(-0.0, "%", "C62")) == "0.0"
    assert str(convert(31.999999999999996, "degF", "CEL")) == "0.0"


def test_the_same_unit_is_left_alone_to_the_last_bit() -> None:
    same = conversion(resolve("mbar"), resolve("hPa"))

    assert same.identity
    assert same.apply(1013.2500000000001) == 1013.2500000000001


def test_a_conversion_shows_itself() -> None:
    assert conversion(resolve("%"), resolve("C62")).expression(45.2) == "45.2 % -> 0.452 (C62)"
    assert conversion(resolve("degC"), resolve("CEL")).expression(21) == "21 °C -> 21.0 (CEL)"


@pytest.mark.parametrize(
    ("source", "target"),
    [("MTS", "A97"), ("ppb", "ug/m3"), ("ug/m3", "ppb"), ("dB", "C62"), ("dBm", "dB"), ("mm", "mm/h"), ("NTU", "FNU")],
)
def test_there_is_no_way_from_one_dimension_into_another(source: str, target: str) -> None:
    with pytest.raises(UnitError, match=r"expected a unit of .*, got .*; name the unit that the device sends"):
        conversion(resolve(source), resolve(target))


@pytest.mark.parametrize("code", ["2N", "DBM", "Q30", "NTU", "FNU", "IE"])
def test_some_units_convert_into_nothing_but_themselves(code: str) -> None:
    assert [unit.code for unit in UNITS.values() if unit.dimension == UNITS[code].dimension] == [code]
    assert conversion(UNITS[code], UNITS[code]).identity


@given(pair=st.sampled_from(CONVERTIBLE), value=st.floats(-1e6, 1e6).filter(lambda number: abs(number) > 1e-3))
def test_there_and_back(pair: tuple[Any, Any], value: float) -> None:
    source, target = pair
    there, back = conversion(source, target), conversion(target, source)
    # An offset leaves a fixed number of decimals, so the error is relative to the larger of value and offset.
    size = max(abs(value), abs(back.offset))

    assert abs(back.apply(there.apply(value)) - value) <= 1e-9 * size


def test_choose_takes_the_unit_of_the_same_dimension() -> None:
    assert choose(("GQ", "61"), resolve("mg/m3")) == "GQ"
    assert choose(("GQ", "61"), resolve("ppm")) == "61"
    assert choose(("C62",), resolve("%")) == "C62"


@pytest.mark.parametrize(
    ("units", "typed", "told"),
    [
        (
            ("GQ", "61"),
            "degC",
            r"expected a unit of mass per volume \(such as µg/m3\) or ratio \(such as ppb\), got °C",
        ),
        (("CEL",), "%", r"expected a unit of temperature \(such as °C\), got %"),
        ((), "V", "expected no unit, since the attribute has no dimension, got V"),
    ],
)
def test_choose_says_what_is_accepted(units: tuple[str, ...], typed: str, told: str) -> None:
    with pytest.raises(UnitError, match=told):
        choose(units, resolve(typed))


@pytest.mark.parametrize("code", UNITS)
def test_codes_have_the_shape_of_rec_20(code: str) -> None:
    assert re.fullmatch(r"[A-Z0-9]{2,3}", code)


NOT_IN_QUDT = {"NTU", "FNU", "Q30", "IE"}
LOGARITHMIC = {"2N", "DBM"}  # QUDT gives them a factor of 0


@pytest.fixture(scope="module")
def qudt() -> dict[str, list[dict[str, Any]]]:
    return document("_common", "qudt_unece.json")


def test_only_known_codes_are_unknown_to_qudt(qudt: dict[str, Any]) -> None:
    assert set(UNITS) - set(qudt) == NOT_IN_QUDT


@pytest.mark.parametrize("code", sorted(UNITS.keys() - NOT_IN_QUDT - LOGARITHMIC))
def test_factors_are_those_of_qudt(qudt: dict[str, list[dict[str, Any]]], code: str) -> None:
    unit = UNITS[code]
    told = [(Fraction(entry["mult"]), Fraction(entry["offset"] or 0)) for entry in qudt[code]]

    assert any(abs(unit.multiplier / factor - 1) < 1e-12 and unit.offset == offset for factor, offset in told), told


def test_units_of_one_dimension_are_of_one_dimension_in_qudt(qudt: dict[str, list[dict[str, Any]]]) -> None:
    for source, target in CONVERTIBLE:
        assert {entry["dim"] for entry in qudt[source.code]} & {entry["dim"] for entry in qudt[target.code]}


def test_nothing_that_people_type_is_the_code_of_another_unit(qudt: dict[str, Any]) -> None:
    assert {text: code for text, code in ALIASES.items() if text in qudt and text != code} == {}
