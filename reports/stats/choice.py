"""Which method to pick within limits, by one stated rule; none where the runs give no evidence.

1. A method is admitted whose every limited cost is known and within its limit.
2. Of those admitted that no other one is decided to be better than, the one with the best average rank leads:
   a method that is ahead on most tasks may be far behind on one. Only methods with a rank can lead, and the
   leader needs an interval against some other method, which takes three seeds.
3. Beside the leader stand those that are decided to be as good within the margin (``verdict.py``).
4. Of these the one is picked that costs the least by the limit that binds: the one of which the leader takes
   the largest share. Without limits it is the fewest trainable parameters; equals go by rank.

The pick is *decided* where every other admitted method is decided to be worse than the leader or as good.
Otherwise it *leads*, and the methods that no verdict tells from the leader are named with it. Where no other
is admitted it is the *only* one.

The page has the same rule in ``site/static/choose.js``; a test holds the two to each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from reports import text
from reports.records.schema import Record
from reports.stats.estimate import MIN_SEEDS
from reports.stats.front import COSTS, PARAMETERS, TIMES
from reports.stats.learning import Risk
from reports.stats.section import Section
from reports.stats.standing import Standing
from reports.stats.verdict import Verdict, by_pair

Costs = Mapping[str, float | None]
"""By the names of ``front.COSTS`` and ``front.TIMES``; what is not known is None."""


@dataclass(frozen=True)
class Candidate:
    """A method at one setting, as its runs show it."""

    label: str
    rank: float | None
    """Average over the tasks that all methods have; 1 is the best."""
    risk: Risk
    costs: Costs
    """The largest over the tasks."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of the methods on one model: candidates in the order of their ranks, and verdicts."""

    model: str
    tasks: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    reach: str
    """How far it goes: tasks, model, training examples, seeds."""
    suite: str | None = None
    """Who measured it, where that is not Paretune."""

    def verdict(self, first: str, second: str) -> Verdict | None:
        """Of two methods, seen from the first; None where they were not compared."""
        return by_pair(self.verdicts).get((first, second))


Certainty = Literal["decided", "leads", "only", "no evidence"]


@dataclass(frozen=True)
class Choice:
    """What the rule gives."""

    pick: str | None
    """None where nothing is admitted, or the evidence is missing."""
    certainty: Certainty
    leader: str | None
    alike: tuple[str, ...]
    """Decided to be as good as the leader, by rank."""
    open: tuple[str, ...]
    """Admitted, and by no verdict worse than the leader or as good."""
    worse: tuple[str, ...]
    """Decided to be worse than the leader."""
    binding: str
    """The cost that the pick is the cheapest by."""
    ruled_out: Mapping[str, tuple[str, ...]]
    """By label the limited costs that are too high or not known."""


def evidence(sections: Sequence[Section], standing: Standing | None, model: str = "") -> Evidence | None:
    """What the sections of one model say of its methods; None where no method is ranked on any.

    Args:
        sections: of one model, one suite.
        standing: over all of them; None where there are too few seeds.
        model: how the model is called; its name in the records where this is empty.
    """
    some = [section for section in sections if section.info and section.rows]
    if not some:
        return None
    places = {place.label: place for place in standing.places} if standing else {}
    labels = list(places) or list(dict.fromkeys(row.label for section in some for row in section.rows))
    candidates = [
        Candidate(
            label=label,
            rank=places[label].rank.value if label in places else None,
            risk=places[label].risk if label in places else Risk(0, None),
            costs=_costs(some, label),
        )
        for label in labels
    ]
    return Evidence(
        model=model or some[0].model,
        tasks=tuple(section.task for section in some),
        candidates=tuple(candidates),
        verdicts=standing.verdicts if standing else (),
        reach=_reach(some, model or some[0].model),
        suite=some[0].suite,
    )


def choose(found: Evidence, limits: Mapping[str, float], costs: Mapping[str, Costs] | None = None) -> Choice:
    """Apply the rule.

    Args:
        found: of the methods.
        limits: the most of each cost, by name; a cost without a limit rules nothing out.
        costs: by label, in place of what the evidence says they cost: predicted for another model.
    """
    known = {one.label: (costs or {}).get(one.label, one.costs) for one in found.candidates}
    out = {
        label: tuple(name for name, most in limits.items() if _over(own.get(name), most))
        for label, own in known.items()
    }
    admitted = [one for one in found.candidates if not out[one.label]]
    ruled_out = {label: names for label, names in out.items() if names}
    leader = _leader(found, admitted)
    if leader is None:
        return Choice(None, "no evidence", None, (), (), (), _binding(limits, {}), ruled_out)
    against = {one.label: found.verdict(leader, one.label) for one in admitted if one.label != leader}
    alike = tuple(label for label, v in against.items() if v and v.swapped.decision == "as good")
    worse = tuple(label for label, v in against.items() if v and _beats(v))
    left = tuple(label for label in against if label not in (*alike, *worse))
    binding = _binding(limits, known[leader])
    if not _measured(found, leader):
        return Choice(None, "no evidence", leader, alike, left, worse, binding, ruled_out)
    pick = min((leader, *alike), key=lambda label: _cost(known[label], binding))
    certainty: Certainty = "leads" if left else "decided" if against else "only"
    return Choice(pick, certainty, leader, alike, left, worse, binding, ruled_out)


def _leader(found: Evidence, admitted: Sequence[Candidate]) -> str | None:
    """The first by rank that no other is decided to be better than.

    Verdicts of pairs that share other tasks may go round in a circle; then the first by rank.
    """
    ranked = [one.label for one in admitted if one.rank is not None]
    within = {one.label for one in admitted}
    beaten = {v.second for v in by_pair(found.verdicts).values() if v.first in within and _beats(v)}
    return next((label for label in ranked if label not in beaten), ranked[0] if ranked else None)


def _beats(verdict: Verdict) -> bool:
    """Whether the first is decided to be better, and the second not to be as good within the margin."""
    return verdict.sign == 1 and verdict.swapped.decision != "as good"


def _over(cost: float | None, most: float) -> bool:
    return cost is None or cost > most


def _cost(costs: Costs, name: str) -> float:
    value = costs.get(name)
    return float("inf") if value is None else value


def _binding(limits: Mapping[str, float], leader: Costs) -> str:
    """The limit of which the leader takes the largest share; the first of equals."""
    if not limits:
        return PARAMETERS
    return max(limits, key=lambda name: (leader.get(name) or 0.0) / limits[name] if limits[name] else 0.0)


def _measured(found: Evidence, leader: str) -> bool:
    """Whether the leader has an interval against any method; one alone is compared with none."""
    pairs = [v for v in found.verdicts if leader in (v.first, v.second)]
    return any(v.difference and v.difference.interval for v in pairs)


def _costs(sections: Sequence[Section], label: str) -> Costs:
    """Of one method the largest of each cost over the tasks; times among those of each task's machine."""
    rows = [(section, row) for section in sections for row in section.rows if row.label == label]
    found = {name: [pick(row) for _, row in rows] for name, pick in COSTS.items()}
    found |= {
        name: [pick(row) for section, row in rows if section.timed(row)] for name, pick in TIMES.items()
    }
    return {
        name: max(known) if (known := [value for value in values if value is not None]) else None
        for name, values in found.items()
    }


def different_examples(record: Record) -> int | None:
    """How many examples a training saw, each counted once; None where it is not known.

    Training counts an example as often as it was seen, and no one sees more than the task has.
    """
    if record.training is None or record.task is None:
        return None
    limits = (record.task.sizes.train, record.training.examples)
    return min(number for number in limits if number is not None)


def _reach(sections: Sequence[Section], model: str) -> str:
    """`6 tasks, one model, MiniLM-L6, 2,560 to 7,681 different training examples, 3 seeds`."""
    records = [record for section in sections for row in section.rows for record in row.records]
    seen = [count for record in records if (count := different_examples(record)) is not None]
    seeds = sorted({row.score.n for section in sections for row in section.rows if row.score.n})
    parts = [text.plural(len(sections), "task"), f"one model, {text.clean(model)}"]
    if seen:
        parts.append(f"{text.span(seen, text.count)} different training examples")
    if seeds:
        parts.append(f"{text.span(seeds, str)} {'seed' if seeds[-1] == 1 else 'seeds'}")
    return ", ".join(parts)


RULE: Final = (
    "Of the methods within every limit that no other of them is decided to be better than, the one with "
    "the best average rank leads. Of it and those decided to be as good within the margin the cheapest is "
    f"picked, by the limit that binds. Nothing is picked where fewer than {MIN_SEEDS} seeds give no interval."
)
"""In words, for readers."""
