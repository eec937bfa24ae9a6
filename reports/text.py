"""Numbers and foreign text as people read them; what was not measured is an en dash."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

Number = TypeVar("Number", int, float)
Ends = tuple[float, float]
"""The ends of an interval, the lower one first."""


class Estimate(Protocol):
    """A value, and its interval where there is one."""

    @property
    def value(self) -> float | None:
        """The value."""

    @property
    def interval(self) -> Ends | None:
        """Its interval."""


class Spread(Protocol):
    """A mean over seeds, its interval, and their standard deviation."""

    @property
    def mean(self) -> float | None:
        """The mean."""

    @property
    def interval(self) -> Ends | None:
        """Its interval."""

    @property
    def sd(self) -> float | None:
        """The standard deviation."""


class Risk(Protocol):
    """How many runs learned nothing."""

    @property
    def seeds(self) -> int:
        """Runs."""

    @property
    def lost(self) -> int | None:
        """Those that learned nothing."""


class Timed(Protocol):
    """A row with a training time."""

    @property
    def training_seconds(self) -> float | None:
        """Of the median seed."""

    @property
    def busy_seeds(self) -> tuple[int, ...]:
        """Those that were trained while others took the machine's cores."""

    @property
    def side_by_side(self) -> int:
        """How many trials the machine trained at once."""


class Scored(Protocol):
    """A row with a score."""

    @property
    def score(self) -> Spread:
        """Over all seeds."""

    @property
    def learned(self) -> Spread | None:
        """Over those that learned, where some did not."""

    @property
    def risk(self) -> Risk:
        """How many did not."""


class Ratio(Protocol):
    """A time relative to another, and its interval."""

    @property
    def value(self) -> float:
        """The ratio."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


MISSING = "–"
MINUTE, HOUR = 60, 3600
MOST_TOLD = 3
"""Odd letters of a name whose code points are told."""


def clean(text: object, limit: int = 200) -> str:
    """One line of foreign text: no control or direction characters, spaces joined, length bounded."""
    kept = str(text)
    if not (kept.isascii() and kept.isprintable()):  # nearly all text is, and needs no look at each character
        kept = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in kept)
        kept = "".join(char for char in kept if unicodedata.category(char) not in ("Cf", "Cs"))
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def name(foreign: object, limit: int = 200) -> str:
    """A foreign name on one line, with the code points of letters that could pass for others.

    `lora` in which the o is Cyrillic is `lоra (U+043E)`; ASCII and Latin letters with an accent are as they
    seem.
    """
    shown = clean(foreign, limit)
    odd = dict.fromkeys(char for char in shown if not _plain(char))
    told = [f"U+{ord(char):04X}" for char in odd][:MOST_TOLD]
    return f"{shown} ({', '.join(told)}{' …' if len(odd) > MOST_TOLD else ''})" if odd else shown


def _plain(char: str) -> bool:
    base = unicodedata.normalize("NFD", char)[0]
    return char.isascii() or char == "…" or (base.isascii() and base.isalpha())


def count(value: int | None) -> str:
    """`74,498`."""
    return MISSING if value is None else f"{value:,}"


def millions(parameters: int) -> str:
    """`22.7 M`, `6.74 B`."""
    scaled, unit = (parameters / 1e9, "B") if parameters >= 1e9 else (parameters / 1e6, "M")
    return f"{scaled:.3g} {unit}"


def share(value: float | None) -> str:
    """A fraction in per cent: `0.32 %`."""
    if value is None:
        return MISSING
    percent = 100 * value
    if 0 < percent < 0.01:
        return "< 0.01 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:.2f} %"


def percent(value: float | None) -> str:
    """A fraction in whole per cent: `93 %`; only all of it is `100 %`, and only nothing `0 %`."""
    if value is None:
        return MISSING
    if 0 < value < 0.01 or 0.99 < value < 1:
        return "< 1 %" if value < 0.5 else "> 99 %"
    return f"{100 * value:.0f} %"


def score(value: float | None) -> str:
    """Three decimals, with a real minus sign."""
    return MISSING if value is None else f"{value:.3f}".replace("-", "−")


def printed(value: float, plus_minus: float | None) -> str:
    """What a paper prints, `0.704 ± 0.001`: three decimals of a fraction, two of points beyond 1."""
    decimals = 3 if abs(value) <= 1 else 2
    numbers = [value] if plus_minus is None else [value, plus_minus]
    return " ± ".join(f"{number:.{decimals}f}".replace("-", "−") for number in numbers)


def spread(value: Spread) -> str:
    """`0.815 (0.805–0.825)` with its 95 % interval, `0.815 ± 0.004` with two seeds, `0.815` with one."""
    if value.interval is not None:
        return f"{score(value.mean)} ({score_range(value.interval)})"
    return score(value.mean) + (f" ± {value.sd:.3f}" if value.sd is not None else "")


def outcome(row: Scored) -> str:
    """A row's score; where seeds learned nothing how many, and what the others scored.

    `0.601; 2 of 9 runs learned nothing, the others 0.743 (0.700–0.786)`.
    """
    lost = learned_nothing(row.risk)
    if not lost:
        return spread(row.score)
    others = f", the others {spread(row.learned)}" if row.learned else ""
    return f"{score(row.score.mean)}; {lost}{others}"


def learned_nothing(risk: Risk) -> str:
    """`2 of 9 runs learned nothing`, empty where all learned or where that is unknown."""
    return f"{risk.lost} of {plural(risk.seeds, 'run')} learned nothing" if risk.lost else ""


def estimate(value: Estimate | None, decimals: int = 2) -> str:
    """`2.41 (1.62 to 3.20)`, without the interval where there is none."""
    if value is None or value.value is None:
        return MISSING
    numbers = [
        f"{number:.{decimals}f}".replace("-", "−") for number in (value.value, *(value.interval or ()))
    ]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})" if value.interval else numbers[0]


def score_range(value: Ends) -> str:
    """`0.805–0.825`, and `−0.021 to 0.013`, where a dash would be taken for a sign."""
    dash = "–" if min(value) >= 0 else " to "
    return dash.join(score(end) for end in value)


def size(value: int | None) -> str:
    """Bytes in decimal units with three digits: `1.23 MB`."""
    if value is None:
        return MISSING
    amount, units = float(value), ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{value} B" if units[0] == "B" else f"{_three_digits(amount)} {units[0]}"


def seconds(value: float | None) -> str:
    """`17.3 s`, `12 min 5 s`, `3 h 20 min`."""
    if value is None:
        return MISSING
    if value < 2 * MINUTE:
        return f"{_three_digits(value)} s"
    whole = round(value)
    if value < 2 * HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def training_time(row: Timed) -> str:
    """`17.3 s`; with `, 4 at once` beside other trials, with `, busy machine` where others took its cores."""
    beside = f", {row.side_by_side} at once" if row.side_by_side > 1 else ""
    return seconds(row.training_seconds) + beside + (", busy machine" if row.busy_seeds else "")


def amount(value: float) -> str:
    """A number with three digits, or all of them before the point: `0.52`, `57.1`, `4,100`."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def milliseconds(value: float | None) -> str:
    """`7.84 ms`."""
    return MISSING if value is None else f"{_three_digits(value)} ms"


def flops(value: int) -> str:
    """Floating-point operations with three digits: `1.23 GFLOP`."""
    amount, units = float(value), ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{_three_digits(amount)} {units[0]}"


def ratio(value: Ratio | None) -> str:
    """`×1.08`."""
    return MISSING if value is None else times(value.value)


def times(value: float) -> str:
    """`×1.08`."""
    return f"×{value:.2f}"


def span(values: Collection[Number], told: Callable[[Number], str]) -> str:
    """The lowest and the highest, `×1.03 to ×1.13`, or the only one; – where there is none."""
    return " to ".join(dict.fromkeys(map(told, (min(values), max(values))))) if values else MISSING


def interval(value: Ratio | None) -> str:
    """`1.05–1.11`, empty where unknown."""
    return "" if value is None else f"{value.low:.2f}–{value.high:.2f}"


def listing(items: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else ""


def measured(model: str, suite: str | None) -> str:
    """A model, and which suite measured it where that is not Paretune."""
    return f"{name(model)}, measured by {name(suite)}" if suite else name(model)


def plural(number: int | None, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def setting(value: object) -> str:
    """The value of an option or protocol entry."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return clean(", ".join(setting(item) for item in value))
    return clean(value)


def _three_digits(amount: float) -> str:
    decimals = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
    return f"{amount:.{decimals}f}"
