"""How a section was measured: everything a reader needs to trust or repeat it, and what speaks against it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reports import text
from reports.records.cuts import cut
from reports.records.edges import End, edges
from reports.records.identity import identity
from reports.records.schema import Environment, Record
from reports.records.tuning import how_set, how_set_in_full, searched
from reports.stats.aggregate import Row
from reports.stats.busy import caution, neighbours
from reports.stats.decoding import controls
from reports.stats.latency import trusted
from reports.stats.section import Section

_ALWAYS_SHOWN = ("learning_rate", "steps", "batch_size")
Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Provenance:
    """Facts as (name, value) pairs, one settings row per method, and warnings in sentences."""

    chosen: str
    """How the settings were chosen, in short: fixed, or tuned."""
    chosen_in_full: str
    facts: Facts
    columns: list[str]
    settings: list[list[str]]
    warnings: list[str]
    commands: list[str]


def provenance(section: Section) -> Provenance:
    """Collect it from the records; where they differ, every value is shown."""
    records = section.own_records
    varying, common = _split_settings(section.own_rows)
    tuned = any(record.tuning for record in records)
    return Provenance(
        chosen=how_set(records),
        chosen_in_full=how_set_in_full(records),
        facts=[
            *_suite(records),
            *_model_and_data(section, records),
            ("Settings of every row", "; ".join(f"{_name(key)} {value}" for key, value in common)),
            ("Seeds", ", ".join(map(str, sorted({identity(record).seed for record in records})))),
            *_measurement(records),
            *_environment(records),
        ],
        columns=[
            *("Method", "Options", *[_name(key).capitalize() for key in varying]),
            *(["Searched"] if tuned else []),
            *("Seeds", "A/A control"),
        ],
        settings=[_settings_row(row, varying, tuned) for row in section.own_rows],
        warnings=_warnings(section, records),
        commands=[command(study) for study in _unique(r.study for r in records if not r.suite)],
    )


def command(study: str) -> str:
    """The command that runs a study again; a name that looks like an option stays a name."""
    named = text.clean(study)
    return f"paretune run {'-- ' if named.startswith('-') else ''}{shlex.quote(named)}"


def _suite(records: Sequence[Record]) -> Facts:
    """Where another suite's results come from, and where its numbers mean something else than ours."""
    suites = [record.suite for record in records if record.suite]
    if not suites:
        return []
    notes = _unique(text.clean(note, 400) for suite in suites for note in suite.notes)
    return [
        ("Source", _joined(f"{text.clean(suite.name)}, {suite.url}" for suite in suites)),
        ("What differs", " ".join(notes)),
    ]


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _joined(values: Iterable[str]) -> str:
    return "; ".join(_unique(values)) or text.MISSING


def _name(key: str) -> str:
    return text.clean(key).replace("_", " ")


def _model_and_data(section: Section, records: Sequence[Record]) -> Facts:
    models = [record.model for record in records if record.model]
    tasks = [record.task for record in records if record.task]
    return [
        ("Model", _joined(f"{text.clean(m.name)} ({text.clean(m.architecture)})" for m in models)),
        ("Model revision", _joined(_short_hash(m.revision) for m in models)),
        ("Data", _joined(f"{text.clean(t.source)}, licence {text.clean(t.license)}" for t in tasks)),
        ("Task version", _joined(str(t.version) for t in tasks)),
        (
            "Splits",
            _joined(
                f"{text.count(t.sizes.train)} to train on, {text.count(t.sizes.selection)} to choose the "
                f"checkpoint (selection), {text.count(t.sizes.report)} scored once and used for nothing else "
                "(reported)"
                for t in tasks
                if t.sizes.report is not None
            ),
        ),
        (
            "Dropped from training",
            _joined(
                f"{text.plural(t.dropped_train_examples, 'example')} whose text is also in another split"
                for t in tasks
                if t.dropped_train_examples is not None
            ),
        ),
        ("Longer than the longest input, and cut", cut(tasks)),
        ("Data hash", _joined(_short_hash(t.data_sha256) for t in tasks)),
    ]


def _measurement(records: Sequence[Record]) -> Facts:
    memories = [record.memory for record in records if record.memory]
    latencies = [(record.latency, record.environment) for record in records if record.latency]
    written = [(record.decoding, record.environment) for record in records if record.decoding]
    again = [control for record in records for control in controls(record)]
    facts = [
        (
            "Memory",
            _joined(
                f"peak of a training step, measured by {text.clean(m.method)}, batch {m.batch_size} × "
                f"{text.count(m.sequence_length)} tokens"
                for m in memories
            ),
        ),
        (
            "Latency",
            _joined(
                f"batch {part.batch_size}, {part.sequence_length} tokens, {part.rounds} rounds interleaved "
                f"with the base in one process, {text.plural(where.threads, 'thread')}"
                for part, where in latencies
            ),
        ),
    ]
    if written:
        facts[1:] = [
            (
                "Decoding",
                _joined(
                    f"batch 1, {part.written_tokens} tokens behind {part.prompt_length}, {part.rounds} "
                    f"rounds interleaved with the base in one process, {text.plural(where.threads, 'thread')}"
                    for part, where in written
                ),
            )
        ]
    if again:
        ratios = sorted(control.ratio for control in again)
        facts.append(
            (
                "A/A control",
                f"a second untouched base took ×{ratios[0]:.3f} to ×{ratios[-1]:.3f} of the first",
            )
        )
    return facts


def _environment(records: Sequence[Record]) -> Facts:
    places = [record.environment for record in records]
    starts = sorted(text.clean(record.started_at) for record in records)
    return [
        (
            "Device",
            _joined(
                f"{text.clean(e.device_name)} ({text.clean(e.device)}), "
                f"{text.plural(e.processes, 'process') if e.processes == 1 else f'{e.processes} processes'}, "
                f"{text.plural(e.threads, 'thread')}"
                for e in places
            ),
        ),
        ("System", _joined(f"{text.clean(e.platform)}, Python {text.setting(e.python)}" for e in places)),
        (
            "Packages",
            _joined(
                ", ".join(f"{text.clean(k)} {text.clean(v)}" for k, v in sorted(e.packages.items()))
                for e in places
            ),
        ),
        (
            "Code",
            _joined(f"{_version(e)}commit {_short_hash(e.commit)}, {_tree(e.tree_clean)}" for e in places),
        ),
        ("Measured", " to ".join(_unique([starts[0], starts[-1]]))),
    ]


def _version(where: Environment) -> str:
    return "" if where.paretune_version is None else f"paretune {text.clean(where.paretune_version)}, "


def _tree(clean: bool | None) -> str:
    return {True: "clean tree", False: "tree with uncommitted changes", None: "not from a checkout"}[clean]


def _short_hash(value: str | None) -> str:
    """The first 12 characters of a hash, its `sha256:` prefix kept."""
    if value is None:
        return text.MISSING
    prefix, colon, digest = text.clean(value).rpartition(":")
    return f"{prefix}{colon}{digest[:12]}" if len(digest) >= 32 else text.clean(value)


def _split_settings(rows: Sequence[Row]) -> tuple[list[str], list[tuple[str, str]]]:
    """Settings with a column of their own, and those that are the same in every row."""
    keys = sorted({key for row in rows for key in row.identity.settings})
    always = [key for key in _ALWAYS_SHOWN if key in keys]
    differing = [
        key
        for key in keys
        if key not in always and len({text.setting(row.identity.settings.get(key)) for row in rows}) > 1
    ]
    shared: list[tuple[str, str]] = []
    for key in keys:
        value: Any = rows[0].identity.settings.get(key)
        if key not in always and key not in differing and value is not None:
            shared.append((key, text.setting(value)))
    return always + differing, shared


def _settings_row(row: Row, columns: Sequence[str], tuned: bool) -> list[str]:
    options = ", ".join(
        f"{_name(key)} {text.setting(value)}" for key, value in sorted(row.identity.options.items())
    )
    control = f"{text.ratio(row.control)} ({text.interval(row.control)})" if row.control else text.MISSING
    steps = {record.training.steps for record in row.records if record.training}
    values = []
    for key in columns:
        value = row.identity.settings.get(key)
        if key == "steps" and value is None and steps:
            value = max(steps)
        values.append(text.setting(value))
    values += [searched(row.records[0].tuning)] if tuned else []
    return [text.clean(row.label), options or text.MISSING, *values, str(len(row.records)), control]


def _strangers(records: Sequence[Record]) -> list[str]:
    """The methods and the task that are not Paretune's own, each with whose it is."""
    named = [("task", record.task.name, record.task.origin) for record in records if record.task]
    named += [("method", str(record.spec["method"]), record.method_origin) for record in records]
    told = dict.fromkeys((kind, text.clean(name), text.clean(by, 100)) for kind, name, by in named if by)
    return [f"the {kind} {name} ({whose})" for kind, name, whose in told]


def _at_ends(rows: Sequence[Row]) -> list[str]:
    """What the searches left at an end of what they searched, each with its methods."""
    found: dict[tuple[str, End], list[str]] = {}
    for row in rows:
        tuned = (record.tuning for record in row.records if record.tuning)
        for at in {(name, end) for one in tuned for name, end in edges(one.space, one.chosen).items()}:
            found.setdefault(at, []).append(text.clean(row.label))
    return [
        f"The {_name(name)} found for {text.listing(labels)} is the {end} that was searched: what lies "
        "beyond it may be better."
        for (name, end), labels in sorted(found.items())
    ]


def _warnings(section: Section, records: Sequence[Record]) -> list[str]:
    found = []
    if any(record.environment.tree_clean is False for record in records):
        found.append(
            "Measured from a checkout with uncommitted changes: the commit does not say which code ran."
        )
    drifted = [
        text.clean(row.label)
        for row in section.own_rows
        if any(not trusted(control) for record in row.records for control in controls(record))
    ]
    if drifted:
        found.append(
            f"The A/A control of {text.listing(drifted)} "
            "excludes ×1, as chance alone does in one trial of 20: "
            "a latency ratio no farther from 1 than its control means nothing."
        )
    found += _at_ends(section.own_rows)
    if strangers := _strangers(records):
        found.append(f"Not of Paretune: {text.listing(strangers)}.")
    if told := neighbours(records):
        found.append(told)
    slowed = [text.clean(row.label) for row in section.own_rows if row.busy_seeds]
    if slowed:
        found.append(f"{caution(records)} In the tables: {text.listing(slowed)}.")
    for what, values in (
        ("model revisions", {record.model.revision for record in records if record.model}),
        ("versions of the data", {record.task.data_sha256 for record in records if record.task}),
    ):
        if len(values) > 1:
            found.append(f"The trials used {len(values)} different {what}: scores are not comparable.")
    machines = {
        (e.device, e.device_name, e.threads, e.processes) for e in (record.environment for record in records)
    }
    if len(machines) > 1:
        found.append(
            f"The trials ran on {len(machines)} machines or thread counts: times are not comparable."
        )
    return found
