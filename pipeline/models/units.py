"""Units: the UN/CEFACT codes of the wire, what people type for them, and the factors between them.

NGSI-LD's `unitCode` is a common code of UN/CEFACT Recommendation 20 (ETSI GS CIM 009, 4.5.2). Everything here is looked
up while the configuration loads; the hot path has one `Conversion` an attribute. A unit is never guessed: text that is
not in the table is an error, case counts (mV is not MV), and there is no way from one dimension into another. So a gas
as a fraction by volume (ppb) never becomes a mass per volume (µg/m³), which needs its molar mass, pressure and
temperature; and decibels, pH and turbidities convert into nothing but themselves.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipeline.core.errors import HeadraceError

_DIGITS = 12


class UnitError(HeadraceError):
    """A unit is unknown, or cannot become the unit that a model uses; the text says what is accepted."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of measure: a value in SI is `(value + offset) * multiplier`, exactly.

    Attributes:
        code: UN/CEFACT Rec 20.
        symbol: As people write it.
        dimension: Only units of one dimension convert into each other.
        aliases: What people type for it besides code and symbol.
    """

    code: str
    symbol: str
    name: str
    dimension: str
    multiplier: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    aliases: tuple[str, ...] = ()


def _unit(line: str, dimension: str) -> Unit:
    code, symbol, name, factor, *aliases = (part.strip() for part in line.split("|"))
    multiplier, _, offset = factor.partition(" + ")
    return Unit(code, symbol, name, dimension, Fraction(multiplier), Fraction(offset or 0), tuple(aliases))


def _table(text: str) -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    dimension = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            dimension = line.strip("[]")
        else:
            unit = _unit(line, dimension)
            units[unit.code] = unit
    return units


UNITS = _table("""
    [ratio]
    C62 | 1     | one                             | 1                      | one | ratio | fraction
    P1  | %     | percent                         | 0.01                   | %RH | %rh | % RH | percent | pct | vol%
    59  | ppm   | parts per million               | 1e-6                   | PPM | ppmv
    61  | ppb   | parts per billion (1e9)         | 1e-9                   | PPB | ppbv
    [temperature]
    CEL | °C    | degree Celsius                  | 1 + 273.15             | degC | deg C | C | Cel | celsius | Celsius
    FAH | °F    | degree Fahrenheit               | 5/9 + 459.67           | degF | deg F | F | fahrenheit | Fahrenheit
    KEL | K     | kelvin                          | 1                      | kelvin | Kelvin
    [pressure]
    PAL | Pa    | pascal                          | 1                      | pascal
    A97 | hPa   | hectopascal                     | 100                    | hectopascal
    KPA | kPa   | kilopascal                      | 1000                   | kilopascal
    MPA | MPa   | megapascal                      | 1e6                    | megapascal
    MBR | mbar  | millibar                        | 100                    | mb | millibar
    BAR | bar   | bar                             | 1e5
    F79 | inHg  | inch of mercury                 | 3386.389
    [mass per volume]
    GQ  | µg/m3 | microgram per cubic metre       | 1e-9                   | ug/m^3 | ug.m-3 | ugm3 | mcg/m3
    GP  | mg/m3 | milligram per cubic metre       | 1e-6                   | mg/m^3 | mg.m-3
    H29 | µg/l  | microgram per litre             | 1e-6                   | ug/L
    M1  | mg/l  | milligram per litre             | 1e-3                   | mg/L
    [count per volume]
    C86 | 1/m3  | reciprocal cubic metre          | 1                      | #/m3 | /m3 | m-3
    H50 | 1/cm3 | reciprocal cubic centimetre     | 1e6                    | #/cm3 | /cm3 | cm-3
    [speed]
    MTS | m/s   | metre per second                | 1                      | mps | m.s-1
    KMH | km/h  | kilometre per hour              | 5/18                   | kmh | kph
    KNT | kn    | knot                            | 463/900                | kt | knot | knots
    HM  | mph   | mile per hour                   | 0.44704                | mi/h
    H67 | mm/h  | millimetre per hour             | 1/3600000              | mm/hr
    [angle]
    DD  | °     | degree of angle                 | 0.01745329251994329577 | deg | degree | degrees
    C81 | rad   | radian                          | 1                      | radian | radians
    [length]
    4H  | µm    | micrometre                      | 1e-6                   | micron
    MMT | mm    | millimetre                      | 1e-3                   | millimetre | millimeter | l/m2 | L/m2
    CMT | cm    | centimetre                      | 1e-2                   | centimetre | centimeter
    MTR | m     | metre                           | 1                      | metre | meter
    KMT | km    | kilometre                       | 1e3                    | kilometre | kilometer
    INH | in    | inch                            | 0.0254                 | inch
    FOT | ft    | foot                            | 0.3048                 | foot | feet
    [volume]
    MLT | ml    | millilitre                      | 1e-6                   | mL
    LTR | l     | litre                           | 1e-3                   | L | litre | liter | litres | liters
    MTQ | m3    | cubic metre                     | 1                      | m^3
    GLL | gal   | gallon (US)                     | 0.003785411784
    [flow]
    E32 | l/h   | litre per hour                  | 1/3600000              | L/h
    L2  | l/min | litre per minute                | 1/60000                | L/min | lpm
    G51 | l/s   | litre per second                | 1e-3                   | L/s
    MQH | m3/h  | cubic metre per hour            | 1/3600                 | m^3/h
    MQS | m3/s  | cubic metre per second          | 1                      | m^3/s
    [decibel]
    2N  | dB    | decibel                         | 1                      | DB | dBA | dB(A) | dB A | dBC | dB(C)
    [decibel-milliwatt]
    DBM | dBm   | decibel referred to a milliwatt | 1                      | dBmW
    [illuminance]
    LUX | lx    | lux                             | 1                      | lux | Lux
    [luminous flux]
    LUM | lm    | lumen                           | 1                      | lumen
    [luminance]
    A24 | cd/m2 | candela per square metre        | 1                      | nit
    [power per area]
    D54 | W/m2  | watt per square metre           | 1                      | W/m^2 | w/m2 | W.m-2
    [voltage]
    2Z  | mV    | millivolt                       | 1e-3                   | millivolt
    VLT | V     | volt                            | 1                      | volt | volts
    KVT | kV    | kilovolt                        | 1e3
    [current]
    4K  | mA    | milliampere                     | 1e-3                   | milliampere
    AMP | A     | ampere                          | 1                      | amp | amps | ampere
    [power]
    WTT | W     | watt                            | 1                      | watt | watts
    KWT | kW    | kilowatt                        | 1e3                    | kilowatt
    MAW | MW    | megawatt                        | 1e6                    | megawatt
    [apparent power]
    D46 | VA    | volt-ampere                     | 1
    KVA | kVA   | kilovolt-ampere                 | 1e3
    [reactive power]
    D44 | var   | var                             | 1                      | VAr | VAR
    KVR | kvar  | kilovar                         | 1e3                    | kVAr | kVAR
    [energy]
    WHR | Wh    | watt hour                       | 3600                   | W.h
    KWH | kWh   | kilowatt hour                   | 3.6e6                  | kW.h
    MWH | MWh   | megawatt hour                   | 3.6e9                  | MW.h
    JOU | J     | joule                           | 1                      | joule
    KJO | kJ    | kilojoule                       | 1e3
    [reactive energy]
    K3  | kvarh | kilovar hour                    | 3.6e6                  | kVArh | kVARh
    [electric charge]
    E09 | mAh   | milliampere hour                | 3.6                    | mA.h
    AMH | Ah    | ampere hour                     | 3600                   | A.h
    [electrical conductivity]
    G42 | µS/cm | microsiemens per centimetre     | 1e-4
    H61 | mS/cm | millisiemens per centimetre     | 0.1
    D10 | S/m   | siemens per metre               | 1
    [acidity]
    Q30 | pH    | pH                              | 1                      | ph | PH
    [nephelometric turbidity]
    NTU | NTU   | nephelometric turbidity unit    | 1                      | ntu
    [formazin turbidity]
    FNU | FNU   | formazin nephelometric unit     | 1                      | fnu
    [time]
    C26 | ms    | millisecond                     | 1e-3                   | msec
    SEC | s     | second                          | 1                      | sec | second | seconds
    MIN | min   | minute                          | 60                     | minute | minutes
    HUR | h     | hour                            | 3600                   | hr | hour | hours
    DAY | d     | day                             | 86400                  | day | days
    [mass]
    MGM | mg    | milligram                       | 1e-6
    GRM | g     | gram                            | 1e-3                   | gram | grams
    KGM | kg    | kilogram                        | 1                      | kilogram
    TNE | t     | tonne                           | 1e3                    | tonne
    [frequency]
    HTZ | Hz    | hertz                           | 1                      | hertz
    KHZ | kHz   | kilohertz                       | 1e3
    MHZ | MHz   | megahertz                       | 1e6
    [activity per volume]
    A19 | Bq/m3 | becquerel per cubic metre       | 1                      | Bq/m^3
    [people]
    IE  | person | person                         | 1                      | persons | people
""")
"""Every unit by its code: air, weather and noise, and what water, power, light and radio will need."""

# One spelling for signs that look alike: both code points of the micro sign, superscripts, degree and ordinal signs.
_SAME = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u00b2": "2", "\u00b3": "3", "\u00ba": "°", "\u2103": "°C", "\u2109": "°F"}
)
_TRAPS = {"HPA": "HPA is UN/CEFACT's hectolitre of pure alcohol; for hectopascal write hPa (its code is A97)."}


def _spelling(text: str) -> str:
    return re.sub(r"\s+", " ", text.translate(_SAME)).strip()


def _typed(unit: Unit) -> tuple[str, ...]:
    return tuple(_spelling(text) for text in (unit.code, unit.symbol, *unit.aliases))


ALIASES: dict[str, str] = {text: unit.code for unit in UNITS.values() for text in _typed(unit)}
"""What people may type, in one spelling (`ug/m3` for µg/m³), and the code it stands for; a golden file holds it."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The way from one unit to another of the same dimension: `value * multiplier + offset`.

    Attributes:
        identity: Nothing is to be done, and `apply` returns the value as it came.
        decimals: Where an offset is added, how many decimals still mean something; without that, 32 °F would be 3.6e-15
            °C.
    """

    source: Unit
    target: Unit
    multiplier: float
    offset: float
    identity: bool
    decimals: int

    def apply(self, value: float) -> float:
        """Convert a finite value, rounded to 12 significant digits: 68 °F are 20.0 °C and not 20.000000000000004."""
        if self.identity:
            return float(value)
        if self.offset:
            value = round(value * self.multiplier + self.offset, self.decimals)
        else:
            value *= self.multiplier
        return float(f"{value:.{_DIGITS}g}") + 0.0

    def expression(self, value: float) -> str:
        """Show a person what becomes of a value: `45.2 % -> 0.452 (C62)`."""
        return f"{value} {self.source.symbol} -> {self.apply(value)!r} ({self.target.code})"


def resolve(text: str) -> Unit:
    """Return the unit that a person means by `text`: a UN/CEFACT code, a symbol or a usual spelling.

    Raises UnitError if it is not in the table; the text names close ones.
    """
    typed = _spelling(text)
    if typed in ALIASES:
        return UNITS[ALIASES[typed]]
    if typed in _TRAPS:
        raise UnitError(_TRAPS[typed])
    raise UnitError(
        f"expected a unit such as degC, %, ug/m3 or a UN/CEFACT code such as CEL, got {text!r}; {_nearest(typed)}"
    )


def _nearest(typed: str) -> str:
    folded = {known.casefold(): known for known in reversed(ALIASES)}
    close = difflib.get_close_matches(typed.casefold(), folded, n=3, cutoff=0.6)
    if not close:
        return "write one of the units of the models' reference page."
    return f"did you mean {' or '.join(folded[name] for name in close)}?"


def conversion(source: Unit, target: Unit) -> Conversion:
    """Return the conversion between two units of one dimension. Raises UnitError if the dimensions differ."""
    if source.dimension != target.dimension:
        raise UnitError(
            f"expected a unit of {target.dimension} that becomes {target.symbol} ({target.code}), got {source.symbol} "
            f"({source.code}), a unit of {source.dimension}; name the unit that the device sends, or another attribute."
        )
    multiplier = source.multiplier / target.multiplier
    offset = source.offset * multiplier - target.offset
    decimals = _DIGITS - len(str(int(abs(offset))))
    identity = multiplier == 1 and offset == 0
    return Conversion(source, target, float(multiplier), float(offset), identity, decimals)


def choose(attribute_units: Sequence[str], source: Unit) -> str:
    """Return which of an attribute's canonical codes has the dimension of `source`.

    Raises UnitError naming what is accepted; a gas may be a mass per volume or a fraction, and stays what it is.
    """
    for code in attribute_units:
        if UNITS[code].dimension == source.dimension:
            return code
    got = f"got {source.symbol} ({source.code}), a unit of {source.dimension}"
    if not attribute_units:
        raise UnitError(f"expected no unit, since the attribute has no dimension, {got}; leave the unit out.")
    accepted = " or ".join(f"{UNITS[code].dimension} (such as {UNITS[code].symbol})" for code in attribute_units)
    raise UnitError(f"expected a unit of {accepted}, {got}; name the unit that the device sends.")
