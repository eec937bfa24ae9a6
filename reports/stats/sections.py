"""Records grouped into comparisons: one section per model and task, one row per method and setting.

Where the maintainers measured anything, what they measured is ranked and nothing else: what others report is
shown beside it, with the place that it would take, and moves no rank, test, floor or front. A section of
which the maintainers measured nothing is ranked by itself, apart from theirs. Who measured a row is told by
`reports/records/origins.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from reports import text
from reports.errors import RecordError
from reports.records.identity import Identity, identity, is_for_dimensions, trial_key
from reports.records.origins import Origin, Origins, origin_of, trusted
from reports.records.schema import FurtherReport, Record, TaskInfo
from reports.stats.aggregate import Row, make_row
from reports.stats.estimate import MIN_SEEDS
from reports.stats.front import marked
from reports.stats.labels import labels, seen_as
from reports.stats.learning import floors
from reports.stats.section import OTHERS, Replication, Section


def sections(
    records: Sequence[Record], origins: Origins | None = None, *, beside_ours: bool = False
) -> list[Section]:
    """Group, aggregate, label, set apart, find the Pareto front and sort; sections in order of their names.

    What others report of models and tasks that the maintainers did not measure comes last.

    Args:
        records: trials, each once; :func:`repeats` tells which are not.
        origins: who measured a trial; what is not in it is self-reported.
        beside_ours: whether the maintainers' own is shown elsewhere, so that what others report is apart.

    Raises:
        RecordError: somebody's trial is given twice.
    """
    for _, reason in repeats(records, origins):
        raise RecordError(f"{reason}.")
    groups: dict[tuple[str, str, str], list[tuple[Record, Origin]]] = defaultdict(list)
    for record in records:
        groups[identity(record).section].append((record, origin_of(record, origins)))
    # Of whoever is ranked: where that is only a search for a dimension, it is compared with itself.
    vouched = [one for one in records if trusted(origin_of(one, origins))] or records
    compares = any(not is_for_dimensions(record) for record in vouched)
    found = []
    for suites in (False, True):  # whether another suite measured a section
        chosen = {key: group for key, group in sorted(groups.items()) if bool(key[0]) == suites}
        everyone = {who for group in chosen.values() for _, who in group}
        ours = beside_ours or any(map(trusted, everyone))
        for key, group in chosen.items():
            people = {who for _, who in group} if suites else everyone
            several = len(people) > 1 or (beside_ours and not suites)
            found.append(_section(key, group, several=several, ours=ours, compares=compares))
    return sorted(found, key=lambda section: section.reported)


def repeats(records: Sequence[Record], origins: Origins | None = None) -> list[tuple[int, str]]:
    """Which records repeat an earlier one of the same origin, and how: the same seed twice is not two seeds.

    The same trial of another origin is no repeat but a replication.
    """
    found = []
    trials: set[tuple[Origin, Any]] = set()
    cells: set[tuple[Any, ...]] = set()
    for index, record in enumerate(records):
        which, who = identity(record), origin_of(record, origins)
        cell = (who, which.section, which.variant, which.seed, is_for_dimensions(record))
        if (who, trial_key(record)) in trials:
            name = text.clean(record.trial_id, 80)
            found.append((index, f"trial {name} is given more than once, and a trial counts once"))
        elif cell in cells:
            reason = (
                f"two records hold {text.clean(which.method, 60)} on {text.clean(which.task, 60)} with seed "
                f"{which.seed} and the same settings, and a trial counts once"
            )
            found.append((index, reason))
        else:
            trials.add((who, trial_key(record)))
            cells.add(cell)
    return found


def _section(
    key: tuple[str, str, str],
    known: list[tuple[Record, Origin]],
    *,
    several: bool,
    ours: bool,
    compares: bool,
) -> Section:
    suite, _, task = key
    # What the task is and what its floor is are the maintainers' to say, where they measured it.
    vouched = [record for record, who in known if trusted(who)] or [record for record, _ in known]
    model = identity(vouched[0]).model
    info = _common_task(vouched)
    floor = floors(info, vouched)
    further = _common_further(vouched)
    variants: dict[tuple[Origin, str, bool, bool], list[Record]] = defaultdict(list)
    for record, who in known:  # by origin as well: nobody's trial enters the mean of another's
        other = not _is_of(record, info)
        variants[who, identity(record).variant, is_for_dimensions(record), other].append(record)
    # The maintainers' first: of names that look alike, theirs stays as it is.
    groups = sorted(variants.items(), key=lambda item: not trusted(item[0][0]))
    trials = [sorted(group, key=lambda record: identity(record).seed) for _, group in groups]
    origins = [origin for (origin, *_), _ in groups]
    names = labels([identity(group[0]) for group in trials], origins, told=several)
    rows = [
        replace(make_row(name, group, info, floor, further), origin=origin)
        for name, group, origin in zip(names, trials, origins, strict=True)
    ]
    ranked, apart = _split(rows, info, compares=compares)
    # What is only shown must not lengthen the names of what is compared, nor what others report those of the
    # maintainers' own; the names of the rest tell it from all.
    ours_apart = [row for row in apart if trusted(row.origin)]
    rest = [row for row in apart if not trusted(row.origin)]
    ours_apart = _renamed([*ranked, *ours_apart], rest, several)[len(ranked) :]
    ranked = _renamed(ranked, [*ours_apart, *rest], several)
    apart = [*ours_apart, *rest]
    section = Section(
        model,
        task,
        info,
        rows=(),
        suite=suite or None,
        reported=ours and not any(map(trusted, origins)),
        floors=floor,
        further=further,
    )

    def in_order(rows: list[Row]) -> tuple[Row, ...]:
        return tuple(sorted(rows, key=lambda row: _rank(row, section.higher_is_better)))

    section = replace(section, rows=in_order(ranked))
    section = replace(section, rows=marked(section))
    ranked = list(section.rows)
    apart = [replace(row, apart=_placed(row, ranked, section)) for row in apart]
    return replace(
        section,
        apart=in_order(apart),
        replications=tuple(filter(None, (_replication(row, ranked) for row in apart))),
    )


def _renamed(rows: list[Row], beside: Sequence[Row], several: bool) -> list[Row]:
    """The rows with names that tell them from one another, if these tell them from the others as well."""
    short = labels([identity(row.records[0]) for row in rows], [row.origin for row in rows], told=several)
    if {seen_as(name) for name in short} & {seen_as(row.label) for row in beside}:
        return rows
    return [replace(row, label=name) for row, name in zip(rows, short, strict=True)]


SEARCHED: Final = "of a search for the intrinsic dimension, which has a page of its own"
ANOTHER_TASK: Final = "another version of the task, or other metrics"
OTHER_DATA: Final = "other data of one's own under the same name"


def _split(rows: list[Row], info: TaskInfo | None, *, compares: bool) -> tuple[list[Row], list[Row]]:
    """The rows that can be ranked, and the others with the reason why not.

    Where the maintainers ran enough seeds for an interval, or anyone where they ran none, every row is asked
    for as many. Searches for an intrinsic dimension are ranked with nothing else, and told of where they are.
    """
    compared = [row for row in rows if not (compares and is_for_dimensions(row.records[0]))]
    ours = [row for row in compared if trusted(row.origin)]
    most = max((len(row.records) for row in ours or compared), default=0)
    asked = MIN_SEEDS if most >= MIN_SEEDS else 1
    told = [
        replace(row, apart=_reason(row, ours, asked, info) if row in compared else SEARCHED) for row in rows
    ]
    return [row for row in told if not row.apart], [row for row in told if row.apart]


def _reason(row: Row, ours: Sequence[Row], asked: int, info: TaskInfo | None) -> str:
    """Why a row is not ranked with the others; empty where it is."""
    others = bool(ours) and not trusted(row.origin)
    # Beside the maintainers' rows a seed that "failed" is none: else the bad ones would be called that.
    seeds = row.seeds_run if others else len(row.records)
    if any(not _is_of(record, info) for record in row.records):
        own = any(record.task and record.task.origin for record in row.records)
        return f"{ANOTHER_TASK}, or {OTHER_DATA}" if own else ANOTHER_TASK
    if any(record.environment.tree_clean is False for record in row.records):
        return "measured from a checkout with uncommitted changes: the commit does not say which code ran"
    if seeds < asked:
        return f"{seeds} of the {asked} seeds that the protocol asks for"
    if others:
        theirs, known = _inputs([row]), _inputs(ours)
        for index, what in enumerate(("data", "weights of the model")):
            if known[index] and not theirs[index] <= known[index]:
                return f"other {what} than the maintainers’"
    return OTHERS if others else ""


def _placed(row: Row, ranked: Sequence[Row], section: Section) -> str:
    """The reason, and the place by mean score of what could be ranked but for who measured it."""
    if row.apart != OTHERS or row.score.mean is None:
        return row.apart
    sign = 1 if section.higher_is_better else -1
    better = sum(
        sign * other.score.mean > sign * row.score.mean for other in ranked if other.score.mean is not None
    )
    return f"{OTHERS}; by its mean it would be place {better + 1} of {len(ranked) + 1}"


def _replication(row: Row, ranked: Sequence[Row]) -> Replication | None:
    """The seeds of a ranked row that somebody else ran as well."""
    same = next((one for one in ranked if _again(one.identity, row.identity)), None)
    if same is None or same.origin == row.origin or not row.apart.startswith(OTHERS):
        return None  # other data, other weights or unknown code are no replication
    scores = tuple(
        (seed, there.score, here.score)
        for seed, here in same.outcomes.items()
        if (there := row.outcomes.get(seed)) and there.score is not None and here.score is not None
    )
    return Replication(same.label, row.origin, scores) if scores else None


def _again(first: Identity, second: Identity) -> bool:
    return first.variant == second.variant


def _inputs(rows: Sequence[Row]) -> tuple[set[str | None], set[str | None]]:
    """The hashes of the data and the revisions of the model that rows were measured with."""
    records = [record for row in rows for record in row.records]
    return (
        {record.task.data_sha256 for record in records if record.task},
        {record.model.revision for record in records if record.model},
    )


def _common_task(records: Sequence[Record]) -> TaskInfo | None:
    """The task as most of the records describe it, the first of equals."""
    infos = [record.task for record in records if record.task]
    counts = Counter(map(_kind, infos))
    return max(infos, key=lambda info: counts[_kind(info)], default=None)


def _common_further(records: Sequence[Record]) -> dict[str, FurtherReport]:
    """Further report splits by name, each with the content that most records have, the first of equals."""
    told: dict[str, list[FurtherReport]] = defaultdict(list)
    for record in records:
        for name, split in record.further_reports.items():
            told[name].append(split)
    found = {}
    for name, several in told.items():
        counts = Counter(split.data_sha256 for split in several)
        found[name] = max(several, key=lambda split: counts[split.data_sha256])
    return found


def _is_of(record: Record, info: TaskInfo | None) -> bool:
    """Whether a record's scores are of this task; one that did not get as far says nothing against it."""
    return record.task is None or info is None or _kind(record.task) == _kind(info)


def _kind(info: TaskInfo) -> tuple[Any, ...]:
    # A name that is not of Paretune says nothing of the data.
    return info.version, info.main_metric, info.metrics, info.origin and info.data_sha256


def _rank(row: Row, higher_is_better: bool) -> tuple[Any, ...]:
    """Best score first, then the cheaper, then by name; rows without a score come last."""
    score = row.score.mean
    cost = row.trainable_parameters
    signed = 0.0 if score is None else (-score if higher_is_better else score)
    return score is None, signed, cost is None, cost or 0, row.label
