"""The answer to the page's question, said from the data and no further than the data go."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports import text
from reports.aggregate import Row
from reports.sections import Section


@dataclass(frozen=True)
class Margin:
    """How far apart two scores must be before the difference means anything, and why."""

    value: float | None
    reason: str


def answer(section: Section) -> list[str]:
    """Sentences, the first one the shortest answer."""
    scored = [row for row in section.rows if row.score.mean is not None]
    if not scored and any(row.score.mean is not None for row in section.apart):
        return ["No score on this task may be ranked: each is shown apart, with the reason."]
    if not scored or section.info is None:
        return ["No method has a score on this task, so there is nothing to compare."]
    best = scored[0]
    limits = margin(section, best)
    rivals = _cheaper_within(section, best, scored, limits)
    told = [
        _best(section, best, scored),
        limits.reason,
        _rivals(best, rivals, limits),
        _front(section),
        _floor(section, scored, limits),
        _lost(section),
        _apart(section),
    ]
    return [sentence for sentence in told if sentence]


def margin(section: Section, best: Row) -> Margin:
    """One standard error of the best score.

    For accuracy it is √(p(1 − p) / n) over the reported examples; with several seeds the standard
    deviation between them counts when it is larger. Other metrics have no closed form here.
    """
    sampling = _sampling_error(section, best.score.mean)
    spread = best.score.sd
    name = text.clean(section.info.main_metric) if section.info else ""
    examples = (section.info.sizes.report if section.info else None) or 0
    if spread is None and sampling is None:
        return Margin(
            None,
            f"There is one seed per score and no simple standard error for {name}, so small differences "
            "decide nothing.",
        )
    if spread is None:
        return Margin(
            sampling,
            f"One standard error is {sampling:.3f} (√(p(1−p)/n), n = {examples:,}): with one seed, a "
            "difference below it is no evidence that one method is better, and a larger one is only a hint.",
        )
    if sampling is None or spread >= sampling:
        return Margin(
            spread,
            f"The best score moves by {spread:.3f} between seeds (standard deviation of "
            f"{text.plural(best.score.n, 'seed')}): a difference below that is no evidence. "
            "What another choice of reported examples would change is not counted in it.",
        )
    return Margin(
        sampling,
        f"One standard error on {examples:,} examples is {sampling:.3f}, more than the {spread:.3f} between "
        "seeds: a difference below it is no evidence.",
    )


def _sampling_error(section: Section, value: float | None) -> float | None:
    if section.info is None or section.info.main_metric != "accuracy" or not section.info.sizes.report:
        return None
    if value is None or not 0 <= value <= 1:
        return None
    return math.sqrt(value * (1 - value) / section.info.sizes.report)


def _cheaper_within(section: Section, best: Row, scored: list[Row], limits: Margin) -> list[Row]:
    """Rows that train fewer parameters than the best and are within the margin, the cheapest first."""
    top, cost = best.score.mean, best.trainable_parameters
    if limits.value is None or top is None or cost is None:
        return []
    sign = 1 if section.higher_is_better else -1
    found = [
        (row.trainable_parameters, row)
        for row in scored
        if row.score.mean is not None
        and row.trainable_parameters is not None
        and row.trainable_parameters < cost
        and sign * (top - row.score.mean) <= limits.value
    ]
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _best(section: Section, best: Row, scored: list[Row]) -> str:
    assert section.info is not None  # answer() has made sure
    tied = [text.clean(row.label) for row in scored if row.score.mean == best.score.mean]
    who = f"{text.listing(tied)} {'score' if len(tied) > 1 else 'scores'} best"
    seeds = f" over {text.plural(best.score.n, 'seed')}" if best.score.n > 1 else ""
    size = section.info.sizes.report
    served = f" on {text.plural(size, 'example')} that served for nothing else" if size is not None else ""
    return (
        f"{who}: {text.clean(section.info.main_metric)} {text.spread(best.score)}{seeds}{served}, training "
        f"{text.count(best.trainable_parameters)} parameters."
    )


def _rivals(best: Row, rivals: list[Row], limits: Margin) -> str:
    if limits.value is None or best.trainable_parameters is None:
        return ""
    if not rivals:
        return "No method that trains fewer parameters is within that margin."
    said = [
        f"{text.clean(row.label)} ({text.score(row.score.mean)} with {text.count(row.trainable_parameters)})"
        for row in rivals
    ]
    cheapest = text.clean(rivals[0].label)
    part = text.share((rivals[0].trainable_parameters or 0) / best.trainable_parameters)
    return (
        f"Training fewer parameters and within that margin of {text.clean(best.label)}: "
        f"{text.listing(said)}. This study cannot tell them apart; the cheapest, {cheapest}, trains {part} "
        "as many parameters."
    )


def _front(section: Section) -> str:
    front = sorted(
        (row for row in section.rows if row.on_front), key=lambda row: row.trainable_parameters or 0
    )
    said = [f"{text.clean(row.label)} ({text.count(row.trainable_parameters)})" for row in front]
    return (
        f"On the Pareto front, from few trainable parameters to many: {text.listing(said)}." if said else ""
    )


def _floor(section: Section, scored: list[Row], limits: Margin) -> str:
    """Name the methods that learned nothing beyond the majority answer."""
    if section.majority is None:
        return ""
    sign = 1 if section.higher_is_better else -1
    slack = limits.value or 0.0
    low = [
        text.clean(row.label)
        for row in scored
        if row.score.mean is not None and sign * (row.score.mean - section.majority) <= slack
    ]
    if not low:
        return ""
    return (
        f"Not clearly better than always giving the majority answer ({text.score(section.majority)}): "
        f"{text.listing(low)}."
    )


def _lost(section: Section) -> str:
    total = len(section.records)
    lost = sum(len(row.failures) for row in section.every_row)
    return f"{lost} of {text.plural(total, 'trial')} did not complete; they are listed below." if lost else ""


def _apart(section: Section) -> str:
    found = len(section.apart)
    return (
        f"{text.plural(found, 'row')} cannot be ranked, and {'is' if found == 1 else 'are'} shown apart."
        if found
        else ""
    )
