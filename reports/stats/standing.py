"""How the methods stand to each other once the seeds have spoken: what can be told apart, and what cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reports import text
from reports.stats.aggregate import Row
from reports.stats.cost_score import CostScore, section_costs
from reports.stats.estimate import MIN_SEEDS, Estimate, Instability, interquartile_mean, pooled
from reports.stats.grid import Grid, make_grid
from reports.stats.paired import Verdict, p_value, paired_verdicts, pairs_needed
from reports.stats.pareto import front_membership
from reports.stats.ranking import Ranking, average_ranks
from reports.stats.sections import Section, by_model

BETTER, WORSE, SAME, OPEN = "▲", "▼", "≈", "?"
SIGNS: Final[Mapping[str, str]] = {"not distinguishable": SAME, "too few pairs": OPEN}


@dataclass(frozen=True)
class Place:
    """One method's line: what its seeds say of it."""

    label: str
    rank: Estimate
    middle: Estimate | None
    """Interquartile mean over tasks of the share gained from the majority answer to the best score."""
    instability: Instability
    front_share: float | None
    """Share of resamples of the seeds in which it is on the front of score against trainable parameters."""
    cost: CostScore | None


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

    @property
    def decided(self) -> bool:
        """Whether there are enough pairs to tell any two methods apart."""
        return any(verdict.decision != "too few pairs" for verdict in self.verdicts)

    @property
    def matrix(self) -> list[tuple[str, list[str]]]:
        """A row per method with a cell per method: a sign and the row's score less the column's."""
        names = [place.label for place in self.places]
        cells = {(name, name): "" for name in names}
        for verdict in self.verdicts:
            cells[verdict.first, verdict.second] = _cell(verdict, 1)
            cells[verdict.second, verdict.first] = _cell(verdict, -1)
        return [(name, [cells[name, other] for other in names]) for name in names]


def standings(sections: Sequence[Section]) -> list[Standing]:
    """One for each model that one suite measured on several tasks, over all of them; models in order."""
    found = [standing(group) for group in by_model(sections) if len(group) > 1]
    return [item for item in found if item]


def all_standings(sections: Sequence[Section]) -> list[Standing]:
    """Those over several tasks, then that of each section by itself."""
    single = [standing([section]) for section in sections]
    return [*standings(sections), *(item for item in single if item)]


def standing(sections: Sequence[Section]) -> Standing | None:
    """The standing on one section, or over sections of one model that one suite measured.

    None where there is nothing to say: fewer than two methods, or no method with three seeds. Methods come
    by average rank, the ones without a rank last. Every two methods are compared, and Holm's correction
    counts all of these comparisons.
    """
    rows = [row for section in sections if section.info for row in section.rows]
    grid = make_grid(sections)
    enough = any(sum(score is not None for score in row.seed_scores.values()) >= MIN_SEEDS for row in rows)
    if len(grid.methods) < 2 or not enough:
        return None
    ranking = average_ranks(grid)
    places = _places(sections, rows, grid, ranking)
    verdicts = tuple(paired_verdicts(grid))
    return Standing(
        model=sections[0].model,
        tasks=grid.tasks,
        ranked=ranking.tasks,
        places=places,
        verdicts=verdicts,
        suite=sections[0].suite,
        sentences=tuple(filter(None, _sentences(places, verdicts, ranking))),
    )


def _places(
    sections: Sequence[Section], rows: Sequence[Row], grid: Grid, ranking: Ranking
) -> tuple[Place, ...]:
    one = sections[0] if len(sections) == 1 else None
    shares = _front_shares(one, grid) if one else {}
    costs = section_costs(one) if one else {}
    gained = grid.gained()
    places = [
        Place(
            label=name,
            rank=rank,
            middle=interquartile_mean(gained.scores[index]) if not one and gained.tasks else None,
            instability=pooled([row.instability for row in rows if row.label == name]),
            front_share=shares.get(name),
            cost=costs.get(name),
        )
        for index, (name, rank) in enumerate(zip(grid.methods, ranking.ranks, strict=True))
    ]
    return tuple(sorted(places, key=lambda place: place.rank.value or len(places) + 1))


def _front_shares(section: Section, grid: Grid) -> dict[str, float | None]:
    costs = {row.label: row.trainable_parameters for row in section.rows}
    shares = front_membership(
        [costs[name] for name in grid.methods],
        grid.scores[:, 0, :],
        higher_is_better=section.higher_is_better,
    )
    return dict(zip(grid.methods, shares, strict=True))


def _sentences(places: Sequence[Place], verdicts: Sequence[Verdict], ranking: Ranking) -> list[str]:
    return [_apart(verdicts), _beside_the_best(places[0], verdicts), _unstable(places), _left(ranking)]


def _apart(verdicts: Sequence[Verdict]) -> str:
    """How many pairs of methods the seeds tell apart, or why none can be."""
    told = sum(verdict.decision == "distinguishable" for verdict in verdicts)
    if any(verdict.decision != "too few pairs" for verdict in verdicts):
        return (
            f"{told} of {text.plural(len(verdicts), 'pair')} of methods can be told apart (sign-flip test of "
            "paired differences, Holm's correction over all of them, 5 %). The others are not "
            "distinguishable here, which is no proof that they are equal."
        )
    most = max(verdicts, key=lambda verdict: verdict.pairs)
    if most.smallest_p is None:
        return "No two methods share a seed on any task, so none can be told apart."
    among, after = ("one of ", " after Holm’s correction") if most.comparisons > 1 else ("", "")
    return (
        "No two methods can be told apart by so few seeds, whatever their scores: with "
        f"{text.plural(most.pairs, 'pair')} of scores the smallest p is {p_value(most.smallest_p)}, and it "
        f"takes {pairs_needed(most.comparisons)} for {among}{text.plural(most.comparisons, 'comparison')} to "
        f"be significant at 5 %{after}."
    )


def _beside_the_best(first: Place, verdicts: Sequence[Verdict]) -> str:
    """Which methods could as well be the best."""
    if first.rank.value is None:
        return ""
    best = first.label
    rivals = [
        text.clean(verdict.second if verdict.first == best else verdict.first)
        for verdict in verdicts
        if best in (verdict.first, verdict.second) and verdict.decision == "not distinguishable"
    ]
    said = f"{text.clean(best)} has the best average rank."
    return f"{said} Not distinguishable from it: {text.listing(rivals)}." if rivals else said


def _unstable(places: Sequence[Place]) -> str:
    """Methods of which a seed learned nothing."""
    found = [
        (place.label, place.instability, place.instability.diverged + (place.instability.at_chance or 0))
        for place in places
    ]
    said = [f"{text.clean(label)} ({lost} of {seen.seeds})" for label, seen, lost in found if lost]
    return (
        f"Runs that diverged or stayed at the majority answer: {text.listing(said)}; one that diverged "
        "counts as that answer in every mean."
        if said
        else ""
    )


def _left(ranking: Ranking) -> str:
    names = text.listing([text.clean(name) for name in ranking.left_out])
    return f"Not in the ranks, because some method has no score there: {names}." if names else ""


def _cell(verdict: Verdict, sign: int) -> str:
    value = verdict.difference.value
    if value is None:
        return text.MISSING
    value *= sign
    mark = SIGNS.get(verdict.decision) or (BETTER if value > 0 else WORSE)
    return f"{mark} {'+' if value > 0 else ''}{text.score(value)}"
