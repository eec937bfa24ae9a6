"""The answer to the page's question, said from the data and no further than the data go."""

from __future__ import annotations

from collections.abc import Sequence

from reports import text
from reports.stats.aggregate import Row
from reports.stats.estimate import MIN_SEEDS
from reports.stats.mcnemar import mcnemar
from reports.stats.section import Section
from reports.stats.standing import Standing, against_the_best, as_good_as_the_best, unstable


def answer(section: Section, standing: Standing | None) -> list[str]:
    """Sentences, the first one the shortest answer; ``standing`` is that of the section alone."""
    scored = [row for row in section.rows if row.score.mean is not None]
    if not scored and any(row.score.mean is not None for row in section.apart):
        return ["No score on this task may be ranked: each is shown apart, with the reason."]
    if not scored or section.info is None:
        return ["No method has a score on this task, so there is nothing to compare."]
    told = [
        _best(section, scored),
        seeds_say(standing, scored),
        _one_run(section, scored),
        _front(section),
        _floor(section, scored),
        _lost(section),
        _apart(section),
    ]
    return [sentence for sentence in told if sentence]


def summary(sections: Sequence[Section], standing: Standing | None) -> list[str]:
    """What is to be said of all tasks of a model; ``standing`` is that over all of them."""
    known = [section for section in sections if section.info]
    scored = [[row for row in section.rows if row.score.mean is not None] for section in known]
    if not any(scored):
        return ["No method has a score on any of these tasks, so there is nothing to compare."]
    if standing and standing.places[0].rank.value is not None:
        rows = {row.label: row for row in reversed([row for rows in scored for row in rows])}
        first, *more = [*_standing_said(standing, rows), unstable(standing.places)]
        return [f"{_over(standing)}: {first}", *filter(None, more)]
    best = [
        f"{text.clean(rows[0].label)} on {text.name(section.task)} ({text.spread(rows[0].score)})"
        for section, rows in zip(known, scored, strict=True)
        if rows
    ]
    shown = best if len(best) <= 6 else [*best[:5], f"others on {len(best) - 5} more"]
    said = [f"Highest scores: {text.listing(shown)}.", few_seeds([row for rows in scored for row in rows])]
    return [sentence for sentence in said if sentence]


def _over(standing: Standing) -> str:
    """How many tasks the tests are over, and how many the ranks, which need every method."""
    said = f"On {text.plural(len(standing.tasks), 'task')}"
    fewer = len(standing.ranked) < len(standing.tasks)
    return f"{said}, ranked on the {len(standing.ranked)} that all methods have" if fewer else said


def seeds_say(standing: Standing | None, scored: Sequence[Row]) -> str:
    """What the paired tests decide between the best method and the others, or why they cannot."""
    if standing is None or standing.places[0].rank.value is None:
        return few_seeds(scored)
    return " ".join(_standing_said(standing, {row.label: row for row in scored}))


def few_seeds(rows: Sequence[Row]) -> str:
    """Why nothing is decided."""
    most = max((row.score.n for row in rows), default=0)
    if len(rows) < 2:
        return ""
    if most <= 1:
        return (
            "One seed: no verdict. Another seed could turn the order of neighbours around, so a difference "
            "between two scores is no evidence here."
        )
    if most < MIN_SEEDS:
        return f"Only {most} seeds: no verdict, which takes at least {MIN_SEEDS}."
    return "No verdict: the methods share too few seeds."


def _standing_said(standing: Standing, rows: dict[str, Row]) -> list[str]:
    """What the others are against the best average rank, and what the cheapest as good as it trains."""
    best = standing.places[0].label
    alike = as_good_as_the_best(standing.places, standing.verdicts)
    return [*against_the_best(standing.places, standing.verdicts), _cheapest(best, alike, rows)]


def _cheapest(best: str, same: Sequence[str], rows: dict[str, Row]) -> str:
    """What the method with the fewest parameters trains among the best and those shown to be as good."""
    counts = [
        (row.trainable_parameters, row)
        for label in (best, *same)
        if (row := rows.get(label)) is not None and row.trainable_parameters is not None
    ]
    if not counts:
        return ""
    _, row = min(counts, key=lambda pair: pair[0])
    among = "Of these, " if same else ""
    return (
        f"{among}{text.clean(row.label)} trains {'the fewest: ' if same else ''}"
        f"{text.count(row.trainable_parameters)} parameters, of which the method's are "
        f"{text.share(row.trainable_share)} of the base."
    )


def _best(section: Section, scored: Sequence[Row]) -> str:
    assert section.info is not None  # answer() has made sure
    best = scored[0]
    tied = [text.clean(row.label) for row in scored if row.score.mean == best.score.mean]
    who = f"{text.listing(tied)} {'have' if len(tied) > 1 else 'has'} the highest score"
    seeds = f" over {text.plural(best.score.n, 'seed')}" if best.score.n > 1 else ""
    size = section.info.sizes.report
    served = f" on {text.plural(size, 'example')} that served for nothing else" if size is not None else ""
    metric = text.clean(section.info.main_metric.replace("_", " "))
    return (
        f"{who}: {metric} {text.spread(best.score)}{seeds}{served}, training "
        f"{text.count(best.trainable_parameters)} parameters."
    )


def _one_run(section: Section, scored: Sequence[Row]) -> str:
    """With one seed: whether the two best models differ on these examples by more than chance."""
    if section.info is None or section.info.main_metric != "accuracy" or len(scored) < 2:
        return ""
    if max(row.score.n for row in scored) > 1:
        return ""
    first, second = scored[:2]
    found = mcnemar(*(next(iter(row.outcomes.values())).record.answers for row in (first, second)))
    if found is None:
        return ""
    return (
        f"These two models, {text.clean(first.label)}'s and {text.clean(second.label)}'s, are right on "
        f"{found.only_first} and {found.only_second} examples that the other gets wrong ({found.told}); that "
        "is of these two models and not of their methods."
    )


def _front(section: Section) -> str:
    def named(mark: str) -> str:
        rows = sorted(
            (row for row in section.rows if row.mark == mark), key=lambda row: row.trainable_parameters or 0
        )
        return text.listing(
            [f"{text.clean(row.label)} ({text.count(row.trainable_parameters)})" for row in rows]
        )

    sure, open_ = named("front"), named("not settled")
    if sure and open_:
        return (
            f"On the Pareto front, from few trainable parameters to many: {sure}; perhaps, as far as the "
            f"seeds show: {open_}."
        )
    if sure:
        return f"On the Pareto front, from few trainable parameters to many: {sure}."
    return f"Perhaps on the Pareto front, which the seeds do not settle: {open_}." if open_ else ""


def _floor(section: Section, scored: Sequence[Row]) -> str:
    """Name the methods of which runs learned nothing beyond the best constant answer."""
    if section.floor is None:
        return ""
    low = [
        f"{text.clean(row.label)} ({row.risk.lost} of {row.risk.seeds})" for row in scored if row.risk.lost
    ]
    said = f"Runs not above the best constant answer ({text.score(section.floor)})"
    return f"{said}: {text.listing(low)}." if low else ""


def _lost(section: Section) -> str:
    total = len(section.own_records)
    lost = sum(len(row.failures) for row in section.own_rows)
    return f"{lost} of {text.plural(total, 'trial')} did not complete; they are listed below." if lost else ""


def _apart(section: Section) -> str:
    found = len([row for row in section.own_rows if row.apart])
    return (
        f"{text.plural(found, 'row')} {'is' if found == 1 else 'are'} shown apart and not ranked."
        if found
        else ""
    )
