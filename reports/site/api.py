"""Documents for programs: one for each board, method and task, under addresses that stay."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from reports.records.identity import identity
from reports.records.schema_json import latency_schema, record_schema, serving_schema
from reports.site.parts import api_schema as api
from reports.site.parts.api_schema import FOLDER
from reports.site.parts.board import Board, View
from reports.site.parts.html import generator
from reports.site.parts.links import method_page, record_page, slug, task_page
from reports.stats.aggregate import Row
from reports.stats.estimate import Estimate, Interval
from reports.stats.latency import Ratio
from reports.stats.learning import Risk
from reports.stats.section import Section, by_model
from reports.stats.standing import Standing

INDEX: Final = f"{FOLDER}/index.json"
Found = dict[str, list[api.Result]]


def documents(boards: Sequence[Board], title: str) -> Iterator[tuple[str, str]]:
    """Path and content of every document of a site; nothing where it has no trials."""
    told = [board for board in boards if board.records]
    if not told:
        return
    entries: list[api.BoardEntry] = []
    methods, tasks = _Named(), _Named()
    for board in told:
        for group in by_model([view.section for view in board.views]):
            document = _board(board, group)
            entries.append(
                api.BoardEntry(**{name: getattr(document, name) for name in api.BoardEntry.model_fields})
            )
            yield document.address, document.model_dump_json()
            for result in document.results:
                methods.add(result.method, result, board.paths.folder + method_page(result.method))
                tasks.add(result.task, result, board.paths.folder + task_page(result.task))
    for name, found in methods.results.items():
        card = next((card for board in told if (card := board.catalogue.method(name))), None)
        facts = {
            "summary": card.summary if card else "",
            "source": card.source if card else "",
            "mergeable": card.mergeable if card else None,
        }
        entry = methods.entry("methods", name)
        yield (
            entry.address,
            api.MethodDocument(**dict(entry), **facts, results=tuple(found)).model_dump_json(),
        )
    for name, found in tasks.results.items():
        named = next((about for board in told if (about := board.catalogue.task(name))), None)
        entry = tasks.entry("tasks", name)
        heading = named.title if named else name
        yield (
            entry.address,
            api.TaskDocument(**dict(entry), title=heading, results=tuple(found)).model_dump_json(),
        )
    kinds = {"record": record_schema(), "latency": latency_schema(), "serving": serving_schema()}
    published = api.schemas() | kinds
    addresses = {name: f"{FOLDER}/{name}.schema.json" for name in published}
    for name, schema in published.items():
        yield addresses[name], json.dumps(schema, indent=1)
    yield (
        INDEX,
        api.Index(
            title=title,
            generator=generator(),
            boards=tuple(entries),
            methods=tuple(methods.entry("methods", name) for name in sorted(methods.results)),
            tasks=tuple(tasks.entry("tasks", name) for name in sorted(tasks.results)),
            schemas=addresses,
        ).model_dump_json(),
    )


class _Named:
    """Results by the name of a method or a task, and where people read of it."""

    def __init__(self) -> None:
        self.results: Found = defaultdict(list)
        self._pages: dict[str, dict[str, None]] = defaultdict(dict)

    def add(self, name: str, result: api.Result, page: str) -> None:
        """Keep a result."""
        self.results[name].append(result)
        self._pages[name][page] = None

    def entry(self, kind: str, name: str) -> api.Entry:
        """How the list names it."""
        return api.Entry(
            name=name, address=f"{FOLDER}/{kind}/{slug(name)}.json", pages=tuple(self._pages[name])
        )


def _board(board: Board, group: Sequence[Section]) -> api.BoardDocument:
    first = group[0]
    key = (first.suite, first.model, first.reported)
    name = "--".join(
        [
            *([first.suite] if first.suite else []),
            first.model,
            *(["reported"] if first.reported else []),
            *([board.paths.table] if board.superseded else []),
        ]
    )
    inside = {id(section) for section in group}
    views = [view for view in board.views if id(view.section) in inside]
    over = _over(board, views, key)
    found = [_result(board, slug(name), view, row) for view in views for row in view.section.every_row]
    return api.BoardDocument(
        id=slug(name),
        address=f"{FOLDER}/boards/{slug(name)}.json",
        model=first.model,
        model_name=board.called(first.model),
        suite=first.suite,
        reported=first.reported,
        superseded=board.superseded,
        tasks=tuple(section.task for section in group),
        methods=tuple(sorted({result.method for result in found})),
        page=board.paths.page,
        measured=board.measured,
        sha256=board.digest,
        places=tuple(
            api.Place(
                label=place.label,
                rank=_estimate(place.rank),
                gain=_estimate(place.middle) if place.middle else None,
                learned_nothing=_lost(place.risk),
            )
            for place in (over.places if over else ())
        ),
        comparisons=_comparisons(over),
        results=tuple(found),
    )


def _over(board: Board, views: Sequence[View], key: tuple[str | None, str, bool]) -> Standing | None:
    """The standing over all tasks of a model, or on its only one."""
    if len(views) == 1:
        return views[0].standing
    return next((item for item in board.overall if (item.suite, item.model, item.reported) == key), None)


def _comparisons(over: Standing | None) -> tuple[api.Comparison, ...]:
    return tuple(
        api.Comparison(
            first=verdict.first,
            second=verdict.second,
            decision=verdict.decision,
            decision_of_second=verdict.swapped.decision,
            difference=_number(
                verdict.difference.value if verdict.difference else None,
                verdict.difference.interval if verdict.difference else None,
            ),
            margin=verdict.margin,
            unit=verdict.unit,
        )
        for verdict in (over.verdicts if over else ())
    )


def _result(board: Board, name: str, view: View, row: Row) -> api.Result:
    section = view.section
    rank = view.ranks.get(row.label) if not row.apart else None
    return api.Result(
        board=name,
        model=section.model,
        task=section.task,
        method=row.identity.method,
        label=row.label,
        options=dict(row.identity.options),
        ranked=not row.apart,
        why_not_ranked=row.apart,
        measured_by=row.origin.told,
        superseded=bool(board.superseded),
        metric=section.info.main_metric if section.info else None,
        higher_is_better=section.higher_is_better,
        floor=section.floor,
        score=_number(row.score.mean, row.score.interval),
        seeds=row.score.n,
        rank=rank.value if rank else None,
        learned_nothing=_lost(row.risk),
        costs=api.Costs(
            trainable_parameters=row.trainable_parameters,
            stored_parameters=row.stored_parameters,
            checkpoint_bytes=row.checkpoint_bytes,
            peak_training_bytes=row.peak_training_bytes,
            training_seconds=row.training_seconds,
            latency=_ratio(row.slower),
            merged_latency=_ratio(row.slower_merged),
            machine=row.machine.told if row.machine else None,
        ),
        trials=tuple(
            api.Trial(
                trial_id=record.trial_id,
                seed=identity(record).seed,
                status=record.status,
                page=record_page(record),
                record=record_page(record).removesuffix("html") + "json",
            )
            for record in row.records
        ),
    )


def _number(value: float | None, interval: Interval | None) -> api.Number:
    return api.Number(value=value, low=interval and interval.low, high=interval and interval.high)


def _estimate(estimate: Estimate) -> api.Number:
    return _number(estimate.value, estimate.interval)


def _ratio(ratio: Ratio | None) -> api.Number | None:
    return api.Number(value=ratio.value, low=ratio.low, high=ratio.high) if ratio else None


def _lost(risk: Risk) -> api.Lost:
    return api.Lost(runs=risk.seeds, lost=risk.lost, at_most=risk.interval.high if risk.interval else None)
