"""What a study says of a task of one's own, and what is known of it once the data has been read.

    {name: intents, train: train.csv, report: test.csv, text: text, label: category}

`report` may also name several report splits, `{test: test.csv, other_bank: other.csv}`: the first one ranks,
the others are further ones (`tasks/further.py`).

What is said becomes a `FileSource`: where the data lies and what is stated of it. What the data adds (the
labels, the problem, the metrics, their hash) makes it an `Own`, which is part of a trial and of its id; where
the files lie is not.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tasks import needs
from tasks.further import TAKEN, misnamed
from tasks.own import templates
from tasks.spec import (
    ACCURACY,
    BLEU,
    CORRELATIONS,
    F1,
    MACRO_F1,
    OF_LABELS,
    OF_SPANS,
    ROUGE_L,
    WRITTEN,
    DataError,
    FileSource,
    MetricSpec,
    Overlap,
    ProblemType,
    TaskSpec,
    Template,
)

ORIGIN: Final = "own data"
"""What a record calls a task that is none of Paretune's but its user's."""

PARTS: Final = ("train", "selection", "report")
KEYS: Final = (
    *("name", *PARTS, "file", "hub", "config", "revision", "text", "label", "target", "problem", "labels"),
    *("metric", "positive", "overlap", "seed", "template"),
)
"""What may be said of a task of one's own."""

OF: Final[dict[ProblemType, tuple[MetricSpec, ...]]] = {
    "classification": OF_LABELS,
    "regression": CORRELATIONS,
    "generation": WRITTEN,
    "token_classification": OF_SPANS,
}
"""The metrics of each problem."""
METRICS: Final[dict[str, MetricSpec]] = {metric.name: metric for some in OF.values() for metric in some}
IMBALANCED: Final = 2 / 3
"""Of the training rows: where one label has a larger share, accuracy says little, and macro F1 ranks."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Own(BaseModel):
    """A task of a user's own, with all that decides its scores; part of a trial's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: tuple[str, ...] = Field(min_length=1, max_length=2, description="columns of the texts")
    label: str = Field(description="column of the labels, or of the texts to write")
    problem: ProblemType
    labels: tuple[str, ...] = Field((), description="by number; none where no class is told")
    metrics: tuple[str, ...] = Field(min_length=1, description="the first ranks; `f1` is of label number 1")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the content of the three splits")
    template: Template | None = Field(None, description="how a model that writes is asked; none = as in T5")
    further: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] | None = Field(
        None, description="by the names of further report splits, the hashes of their content; none = no such"
    )

    def __hash__(self) -> int:
        return hash(self.sha256)

    def task(self, name: str, source: FileSource) -> TaskSpec:
        """Its declaration.

        Raises:
            DataError: it names a metric that there is not.
        """
        return TaskSpec(
            name=name,
            version=1,
            title=name,
            description="A task of its user's own.",
            problem_type=self.problem,
            text_columns=self.text,
            label_column=self.label,
            labels=self.labels,
            metrics=tuple(metric(name, one) for one in self.metrics),
            source=source,
            license="not stated",
            citation="",
            homepage="",
            overlap="example" if self.problem == "token_classification" else source.overlap,
            template=self.template,
        )


@dataclass(frozen=True)
class Said:
    """What a study says of a task."""

    name: str
    paths: Mapping[str, tuple[str, ...]]
    """By part, as they are written; of a data set of the hub, its splits."""
    source: FileSource
    """The same with what is stated of the data; its files are found later."""


def said(values: Mapping[str, Any]) -> Said:
    """Read what a study says of a task of one's own.

    Raises:
        DataError: an unknown key, a value that makes no sense, or not one way to the data; one sentence.
    """
    name = _plain(values.get("name"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DataError(
            f"a task of one's own has the name {name!r}, expected letters, digits, '-', '_' or '.'"
        )
    task = f"task {name!r}"
    for key in values:
        if key not in KEYS:
            raise DataError(f"{task} has no key {key!r}; {nearest(str(key), KEYS)}")
    reports, further = _reports(task, values.get("report"))
    given = {**values, "report": reports}
    paths = {
        part: _texts(task, part, given[part]) for part in (*PARTS, "file") if given.get(part) is not None
    }
    paths |= {name: _texts(task, f"report {name!r}", files) for name, files in further.items()}
    hub, config, revision = (_text(task, key, values.get(key)) for key in ("hub", "config", "revision"))
    _check_parts(task, set(paths), hub, config, revision)
    text = _texts(task, "text", _plain(values.get("text", "text")))
    if len(text) > 2 or len(set(text)) < len(text):
        raise DataError(f"{task}: text names {listing(text)}, expected one column, or the two of a pair")
    target = _text(task, "target", values.get("target"))
    label = target or _text(task, "label", _plain(values.get("label", "label"))) or "label"
    if label in text:
        named = "label" if target is None else "target"
        raise DataError(f"{task}: {label!r} is named as text and as {named}, expected two columns")
    problem: ProblemType | None = _chosen(task, "problem", values.get("problem"), tuple(OF))
    if target is not None and ("label" in values or problem not in (None, "generation")):
        beside = f"the label {values['label']!r}" if "label" in values else f"problem: {problem}"
        raise DataError(f"{task} has the target {target!r}, a text to write, and {beside}: leave one out")
    if target is None and problem == "generation":
        raise DataError(f"{task} is a generation, and no target: names the column of the texts to write")
    problem = problem if target is None else "generation"
    labels = _labels(task, values.get("labels"))
    metrics = () if values.get("metric") is None else _texts(task, "metric", values["metric"])
    for one in metrics:
        metric(name, one)
    positive = None if values.get("positive") is None else _label(task, "positive", values["positive"])
    _check_metrics(task, problem, labels, metrics, positive)
    template = values.get("template")
    if template is not None:
        template = templates.read(task, template, len(text), labels)
    overlap: Overlap | None = _chosen(task, "overlap", values.get("overlap"), ("any_text", "example"))
    seed = values.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise DataError(f"{task}: seed is {seed!r}, expected a whole number from 0 up")
    if "seed" in values and "file" not in paths:
        raise DataError(f"{task} has a seed, which decides how one `file:` is split; leave it out")
    stated = FileSource(
        *((), text, label, problem, labels, metrics, positive, overlap or "any_text", seed),
        *(hub, config, revision, None, template),
    )
    return Said(name, paths, stated)


def nearest(name: str, valid: Iterable[str]) -> str:
    """The closest valid names as a question, then all of them."""
    valid = list(valid)
    folded = {one.casefold(): one for one in reversed(valid)}
    close = [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)]
    hint = f"did you mean {close[0]!r}? " if close else ""
    more = f" and {len(valid) - 20} more" if len(valid) > 20 else ""
    return f"{hint}there are: {', '.join(valid[:20]) or 'none'}{more}"


def listing(items: Iterable[str]) -> str:
    """`a`, `a and b`, or `a, b and c`."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def metric(task: str, name: str) -> MetricSpec:
    """A metric by its name.

    Raises:
        DataError: there is none.
    """
    if name not in METRICS:
        raise DataError(f"task {task!r} has no metric {name!r}; {nearest(name, METRICS)}")
    return METRICS[name]


def problem_of(metrics: Sequence[str]) -> ProblemType | None:
    """What metrics are of; None where there are none."""
    return next((kind for kind, some in OF.items() if metrics and METRICS[metrics[0]] in some), None)


def default_metrics(problem: ProblemType, largest_share: float) -> tuple[str, ...]:
    """What a task is scored by where nothing is stated; the first ranks.

    Args:
        problem: the kind of problem.
        largest_share: of the training rows, those of the most frequent label.
    """
    if problem == "regression":
        return tuple(one.name for one in CORRELATIONS)
    if problem == "generation":
        return ROUGE_L.name, BLEU.name
    if problem == "token_classification":
        return tuple(one.name for one in OF_SPANS)
    if largest_share > IMBALANCED:
        return MACRO_F1.name, ACCURACY.name
    return ACCURACY.name, MACRO_F1.name


def _reports(task: str, value: Any) -> tuple[Any, dict[str, Any]]:
    """What ranks, and the further report splits by name, where several are named."""
    if not isinstance(value, Mapping):
        return value, {}
    names = [*value]
    if not names:
        raise DataError(f"{task}: report names no split, expected files, or one name or more with files each")
    if wrong := misnamed(names):
        raise DataError(
            f"{task}: {wrong[0]!r} is no name for a report split, expected letters, digits, '-', '_', '.', "
            f"and none of {listing(TAKEN)}"
        )
    first, *others = value.items()
    return first[1], dict(others)


def _check_parts(
    task: str, parts: set[str], hub: str | None, config: str | None, revision: str | None
) -> None:
    ways = "expected train: and report:, or one file: that is split, or hub: with the names of its splits"
    if not parts:
        raise DataError(f"{task} has no data; {ways}")
    if "file" in parts:
        if len(parts) > 1 or hub is not None:
            raise DataError(
                f"{task} has file: beside {listing(sorted({*parts} - {'file'}) or ['hub'])}; {ways}"
            )
    elif missing := [part for part in ("train", "report") if part not in parts]:
        raise DataError(f"{task} has no {listing(missing)}; {ways}")
    if hub is None and (config is not None or revision is not None):
        raise DataError(f"{task} has a config or revision, which are of a data set of the hub, but no hub:")
    if hub is not None and not re.fullmatch("[0-9a-f]{40}", revision or ""):
        raise DataError(
            f"{task}: revision is {revision!r}, expected the 40 digits of a commit of {hub}, so that a later "
            "edit there cannot change a score"
        )


def _check_metrics(
    task: str,
    problem: ProblemType | None,
    labels: tuple[str, ...],
    metrics: tuple[str, ...],
    positive: str | None,
) -> None:
    if lacks := needs.missing(metrics):
        raise DataError(f"{task}: {lacks}")
    if len(set(metrics)) < len(metrics):
        raise DataError(f"{task} names a metric twice: {listing(metrics)}")
    kinds = list(dict.fromkeys(kind for one in metrics for kind, some in OF.items() if METRICS[one] in some))
    if len(kinds) > 1:
        raise DataError(
            f"{task} has the metrics {listing(metrics)}, of a {' and of a '.join(kinds)}: expected those "
            "of one"
        )
    if problem in ("regression", "generation") and labels:
        raise DataError(f"{task} is a {problem} and has labels: leave one of the two out")
    if kinds and kinds[0] != (problem or kinds[0]):
        valid = OF[problem or "classification"]
        raise DataError(
            f"{task}: a {problem} is not scored by {metrics[0]}, expected {listing(m.name for m in valid)}"
        )
    if kinds == ["generation"] and problem is None:
        raise DataError(f"{task}: {metrics[0]} is of texts that are written: name their column as target:")
    if positive is not None and F1.name not in metrics:
        raise DataError(f"{task} has a positive label, which only `metric: f1` has use for")
    if positive is not None and labels and positive not in labels:
        raise DataError(
            f"{task}: positive is {positive!r}, which is none of its labels; {nearest(positive, labels)}"
        )


def _plain(value: Any) -> Any:
    """A name as text that YAML reads as a number: of a task, or of a column that has no other."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text(task: str, key: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise DataError(f"{task}: {key} is {value!r}, expected a text")
    return value


def _texts(task: str, key: str, value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not found or not all(isinstance(v, str) and v for v in found):
        raise DataError(f"{task}: {key} is {value!r}, expected a text or a list of some")
    return tuple(found)


def _labels(task: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) < 2:
        raise DataError(f"{task}: labels is {value!r}, expected a list of two or more")
    found = tuple(_label(task, "labels", one) for one in value)
    if len(set(found)) < len(found):
        raise DataError(f"{task}: labels has {next(one for one in found if found.count(one) > 1)!r} twice")
    return found


def _label(task: str, key: str, value: Any) -> str:
    """A label as it is called: YAML reads `1` as a number and `no` as a truth value."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int) or value == "":
        raise DataError(f"{task}: {key} has {value!r}, expected texts or whole numbers")
    return str(value)


def _chosen(task: str, key: str, value: Any, valid: tuple[str, ...]) -> Any:
    if value is not None and value not in valid:
        raise DataError(f"{task}: {key} is {value!r}, expected {' or '.join(valid)}")
    return value
