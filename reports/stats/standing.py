"""How the methods stand once the seeds have spoken: which is better, which as good, what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports import text
from reports.stats.aggregate import Row
from reports.stats.estimate import MIN_SEEDS, Estimate, interquartile_mean
from reports.stats.grid import Grid, make_grid
from reports.stats.learning import Risk, pooled
from reports.stats.ranking import Ranking, average_ranks
from reports.stats.section import OTHERS, Section, by_model
from reports.stats.verdict import ALPHA, MARGIN, Verdict, by_pair, verdicts

BETTER, WORSE, SAME, OPEN = "▲", "▼", "≈", "?"


@dataclass(frozen=True)
class Place:
    """One method's line: what its seeds say of it."""

    label: str
    rank: Estimate
    middle: Estimate | None
    """Interquartile mean over tasks of the share gained from the best constant answer to a perfect score."""
    risk: Risk
    """How many of its runs learned nothing."""
    front_share: float | None
    """Share of resamples of the seeds in which it is on the front of score against trainable parameters."""


@dataclass(frozen=True)
class Standing:
    """Methods on one task, or on all tasks of a model, best first; needs three seeds of some method."""

    model: str
    tasks: tuple[str, ...]
    ranked: tuple[str, ...]
    """The tasks that the average ranks are over: those on which all methods share a seed."""
    places: tuple[Place, ...]
    verdicts: tuple[Verdict, ...]
    sentences: tuple[str, ...]
    suite: str | None = None
    """Who measured them, where that is not Paretune."""
    reported: bool = False
    """Whether others report it beside what the maintainers measured."""

    @property
    def decided(self) -> bool:
        """Whether the seeds give any two methods an interval."""
        return any(verdict.difference and verdict.difference.interval for verdict in self.verdicts)

    @property
    def matrix(self) -> list[tuple[str, list[str]]]:
        """A row per method with a cell per method: a sign and the row's score less the column's."""
        names = [place.label for place in self.places]
        known = by_pair(self.verdicts)
        return [
            (name, ["" if name == other else _cell(known[name, other]) for other in names]) for name in names
        ]


def standings(sections: Sequence[Section], margin: float = MARGIN) -> list[Standing]:
    """One for each model that one suite measured on several tasks, over all of them; models in order."""
    found = [standing(group, margin) for group in by_model(sections) if len(group) > 1]
    return [item for item in found if item]


def standing(sections: Sequence[Section], margin: float = MARGIN) -> Standing | None:
    """The standing on one section, or over sections of one model that one suite measured.

    None where there is nothing to say: fewer than two methods, or no method with three seeds. Methods come by
    average rank, the ones without a rank last. Every two methods are compared, on one task by its metric and
    on several by the share of what can be gained on each.
    """
    rows = [row for section in sections if section.info for row in section.rows]
    grid = make_grid(sections)
    enough = any(row.score.n >= MIN_SEEDS for row in rows)
    if len(grid.methods) < 2 or not enough:
        return None
    ranking = average_ranks(grid)
    places = _places(sections, rows, grid, ranking)
    found = tuple(verdicts(grid.gained() if len(grid.tasks) > 1 else grid, margin=margin))
    return Standing(
        model=sections[0].model,
        tasks=grid.tasks,
        ranked=ranking.tasks,
        places=places,
        verdicts=found,
        suite=sections[0].suite,
        reported=sections[0].reported,
        sentences=tuple(filter(None, _sentences(places, found, ranking))),
    )


def placed(section: Section, margin: float = MARGIN) -> list[str]:
    """What every row that others report is against those that the maintainers ranked, a sentence each.

    Each is compared by itself, so that what one of them reports does not change what is said of another. The
    intervals of all the rows that one submitter reports hold at once: more rows buy no verdict.
    """
    found = []
    shown = [row for row in section.apart if row.apart.startswith(OTHERS) and row.score.mean is not None]
    families = Counter(row.origin for row in shown)
    for row in shown:
        beside = replace(section, rows=(*section.rows, row), apart=())
        pairs = [(row.label, other.label) for other in section.rows if other.score.mean is not None]
        alpha = ALPHA / families[row.origin]
        found.append(_placed(row, verdicts(make_grid([beside]), pairs, alpha=alpha, margin=margin)))
    return [sentence for sentence in found if sentence]


def _placed(row: Row, found: Sequence[Verdict]) -> str:
    def named(*signs: int) -> str:
        return text.listing([text.clean(verdict.second) for verdict in found if verdict.sign in signs])

    alike = [v for v in found if not v.sign and v.decision == "as good"]
    left = [v for v in found if not v.sign and v.decision != "as good"]
    said = [
        f"better than {named(1)}" if named(1) else "",
        f"worse than {named(-1)}" if named(-1) else "",
        f"as good as {text.listing([text.clean(v.second) for v in alike])}" if alike else "",
        f"not decided against {text.listing([text.clean(v.second) for v in left])}" if left else "",
    ]
    bases = text.listing(list(dict.fromkeys(v.basis for v in found if v.difference)))
    basis = f" ({bases})" if bases else ""
    return f"{text.clean(row.label)}: {'; '.join(filter(None, said))}{basis}." if found else ""


def _places(
    sections: Sequence[Section], rows: Sequence[Row], grid: Grid, ranking: Ranking
) -> tuple[Place, ...]:
    one = len(sections) == 1
    shares = {row.label: row.front_share for row in rows} if one else {}
    gained = grid.gained()
    risks = {name: pooled([row.risk for row in rows if row.label == name]) for name in grid.methods}
    places = [
        Place(
            label=name,
            rank=rank,
            middle=None if one or not gained.tasks else _middle(gained, index, risks[name]),
            risk=risks[name],
            front_share=shares.get(name),
        )
        for index, (name, rank) in enumerate(zip(grid.methods, ranking.ranks, strict=True))
    ]
    return tuple(sorted(places, key=lambda place: place.rank.value or len(places) + 1))


def _middle(gained: Grid, method: int, risk: Risk) -> Estimate:
    noise = None if gained.noise is None else gained.noise[:, method, :]
    found = interquartile_mean(gained.scores[method], noise=noise)
    if risk.lost:
        return replace(found, interval=None, note="no interval: some seed learned nothing")
    return found


def _sentences(places: Sequence[Place], found: Sequence[Verdict], ranking: Ranking) -> list[str]:
    return [_counts(found), *against_the_best(places, found), unstable(places), _left(ranking)]


def _counts(found: Sequence[Verdict]) -> str:
    """How many pairs of methods are decided, and what the test was."""
    known = [verdict for verdict in found if verdict.difference and verdict.difference.interval]
    if not known:
        most = max((v.difference.pairs if v.difference else 0 for v in found), default=0)
        return (
            f"No two methods have an interval: {text.plural(most, 'pair')} of scores at most, and an "
            f"interval takes {MIN_SEEDS} on a task."
        )
    better = sum(verdict.sign != 0 for verdict in known)
    alike = sum(not verdict.sign and verdict.as_good for verdict in known)
    said = (
        f"Of {text.plural(len(found), 'pair')} of methods one is better in {better}, one is as good as the "
        f"other within {text.score(known[0].margin)} in {alike}, and {len(found) - better - alike} are not "
        "decided. "
        f"All {text.plural(known[0].comparisons, 'interval')} hold at once with 95 % ({known[0].basis}; in "
        f"{known[0].unit})."
    )
    left = [v.difference.detectable for v in known if not v.sign and not v.as_good and v.difference]
    found_at = [value for value in left if value is not None]
    if found_at:
        ends = text.span(found_at, text.score)
        said += f" Of these, the smallest difference that would have been found is {ends}."
    return said


def against_the_best(places: Sequence[Place], found: Sequence[Verdict]) -> list[str]:
    """The best average rank, and what every other method is decided to be against it."""
    if places[0].rank.value is None:
        return []
    others = _others(places[0].label, found)
    rank = text.estimate(places[0].rank, 1)
    said = [f"{text.clean(places[0].label)} has the best average rank, {rank}."]
    if not any(verdict.difference and verdict.difference.interval for verdict in others.values()):
        return [*said, "So few seeds give no interval of a difference to it: no verdict."]

    def named(names: Sequence[str]) -> str:
        return text.listing([text.clean(name) for name in names])

    for sign, told in ((-1, "Better than it"), (1, "It is better than")):
        names = [name for name, verdict in others.items() if verdict.sign == sign]
        said += [f"{told}: {named(names)}."] if names else []
    alike = as_good_as_the_best(places, found)
    margin = text.score(found[0].margin)
    said += [f"As good as it within {margin}: {named(alike)}."] if alike else []
    left = {name: v for name, v in others.items() if not v.sign and name not in alike}
    if left:
        known = [v.difference.detectable for v in left.values() if v.difference and v.difference.detectable]
        ends = text.span(known, text.score)
        least = f"; the smallest difference that would have been found is {ends}" if known else ""
        said.append(f"Not decided against it: {named(list(left))}{least}.")
    lost = [name for name, verdict in others.items() if verdict.steadier == 1]
    said += [f"Decided to learn nothing more often than it: {named(lost)}."] if lost else []
    return said


def as_good_as_the_best(places: Sequence[Place], found: Sequence[Verdict]) -> list[str]:
    """The methods that are decided to be as good as the one with the best average rank."""
    others = _others(places[0].label, found)
    return [name for name, v in others.items() if not v.sign and v.swapped.decision == "as good"]


def _others(best: str, found: Sequence[Verdict]) -> dict[str, Verdict]:
    """The best method against every other one."""
    return {second: verdict for (first, second), verdict in by_pair(found).items() if first == best}


def unstable(places: Sequence[Place]) -> str:
    """Methods of which a run learned nothing."""
    said = [
        f"{text.clean(place.label)} ({place.risk.lost} of {place.risk.seeds})"
        for place in places
        if place.risk.lost
    ]
    return (
        f"Runs that learned nothing, scoring not above the best constant answer: {text.listing(said)}. "
        "Methods are compared where both learned, and none that learned nothing more often is called better "
        "or as good."
        if said
        else ""
    )


def _left(ranking: Ranking) -> str:
    names = text.listing([text.clean(name) for name in ranking.left_out])
    return f"Not in the ranks, because some method has no score there: {names}." if names else ""


def _cell(verdict: Verdict) -> str:
    if verdict.difference is None:
        return text.MISSING
    value = verdict.difference.value
    mark = {1: BETTER, -1: WORSE}.get(verdict.sign) or (SAME if verdict.as_good else OPEN)
    return f"{mark} {'+' if value > 0 else ''}{text.score(value)}"
