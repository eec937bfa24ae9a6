"""What a task is: one typed, checked declaration, and the errors of this package.

A task is data. It says where its text comes from, which columns it reads, what it is scored with and
under which licence it stands; it holds no code of its own except, for files that need it, the two
small functions of `PackageSource`. Reading is in `tasks/reading.py`, splitting in `tasks/splits.py`,
scoring in `tasks/metrics.py`, data of users' own in `tasks/own/`.

A published task is never edited. A change that moves scores is a new task (or a new `version`), and the
old one names it in `superseded_by`. What may be added is what moves none: `superseded_by` itself, a
`collection`, further report splits (`tasks/further.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tasks import bio
from tasks.further import TAKEN, Further, misnamed
from tasks.hub import HubSource

if TYPE_CHECKING:
    import datasets

ProblemType = Literal["classification", "regression", "generation", "token_classification"]
Overlap = Literal["any_text", "example"]


class TaskError(ValueError):
    """A task, a declaration or the arguments of a score are wrong; the message is one sentence."""


class DataError(ValueError):
    """A task's data cannot be had or is not what was declared; one sentence that says what to do."""


class Example(NamedTuple):
    """One labelled example: one text, or the two texts of a pair; the label is the text that is to be written
    where that is the task. Where words are labelled, the words of a sentence with a label for each."""

    texts: tuple[str, ...]
    label: int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class MetricSpec:
    """The name, direction and unit of one metric; `tasks/metrics.py` has its module and its source."""

    name: str
    higher_is_better: bool
    unit: Literal["fraction", "correlation", "points"]
    """`points` begin at 0 and have no end that texts can reach."""


ACCURACY = MetricSpec("accuracy", True, "fraction")
F1 = MetricSpec("f1", True, "fraction")
MACRO_F1 = MetricSpec("macro_f1", True, "fraction")
MATTHEWS = MetricSpec("matthews_correlation", True, "correlation")
PEARSON = MetricSpec("pearson", True, "correlation")
SPEARMAN = MetricSpec("spearman", True, "correlation")
BLEU = MetricSpec("bleu", True, "fraction")
NIST = MetricSpec("nist", True, "points")
METEOR = MetricSpec("meteor", True, "fraction")
ROUGE_L = MetricSpec("rouge_l", True, "fraction")
CIDER = MetricSpec("cider", True, "points")
EXACT_MATCH = MetricSpec("exact_match", True, "fraction")
ANSWER_MATCH = MetricSpec("answer_match", True, "fraction")
SPAN_F1 = MetricSpec("span_f1", True, "fraction")
SPAN_PRECISION = MetricSpec("span_precision", True, "fraction")
SPAN_RECALL = MetricSpec("span_recall", True, "fraction")
TOKEN_ACCURACY = MetricSpec("token_accuracy", True, "fraction")
WRITTEN = (BLEU, NIST, METEOR, ROUGE_L, CIDER, EXACT_MATCH, ANSWER_MATCH)
"""The metrics of text that is written."""


@dataclass(frozen=True)
class Template:
    """How an example is given to a model that writes: a prompt, and what is to follow it.

    `prompt` has `{text}` (and `{text_pair}`) where the texts go. A causal model reads the prompt and `joint`,
    and writes on; an encoder-decoder reads the prompt alone. `words` are what is written for the labels of a
    classification, in their order: a model answers with the likeliest of them.
    """

    prompt: str = "{text}"
    joint: str = "\n"
    words: tuple[str, ...] = ()

    def write(self, texts: Sequence[str]) -> str:
        """The prompt for one text, or the two of a pair."""
        return self.prompt.format(**dict(zip(("text", "text_pair"), texts, strict=False)))

    def fields(self) -> tuple[str, ...]:
        """The names in braces; ValueError where braces do not match."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.prompt) if name is not None)


OF_LABELS = (ACCURACY, MACRO_F1, MATTHEWS, F1)
"""Metrics of a classification; F1 alone is of one class, that of number 1."""
CORRELATIONS = (PEARSON, SPEARMAN)
"""Metrics of a regression."""
OF_SPANS = (SPAN_F1, SPAN_PRECISION, SPAN_RECALL, TOKEN_ACCURACY)
"""Metrics of labelled words; `token_accuracy` is of words, those outside of all spans included."""


@dataclass(frozen=True)
class PackageSource:
    """One CSV file (columns text, label, source) that a package of the index ships.

    `clean` turns one row into one example, or into None when the row is of no use to the task; it sees
    nothing but that row. `build`, if there is one, is applied to each split after the splits are made.
    """

    package: str
    version: str
    module: str
    file: str
    file_sha256: str
    subset: str
    clean: Callable[[str, int], Example | None]
    build: Callable[[Sequence[Example]], list[Example]] | None = None

    def __str__(self) -> str:
        return f"{self.package} {self.version} ({self.subset})"


@dataclass(frozen=True)
class RowsSource:
    """Rows that a function of Python returns, for a task that is registered (`tasks.register`).

    `rows("train")` and `rows("report")` return the rows of the two splits, each a mapping that has the text
    columns and the label column of the task, such as those of a `datasets.Dataset`. The label of a class is
    its number or its word in `labels`. What is selected by is carved from train, as for a hub task. The rows
    are known by the hash of their content, so that other rows are other data; none are kept on disk. `name`
    is what records call the source. `rows` is asked for each of `further_reports` by its name as well.
    """

    name: str
    rows: Callable[[str], Iterable[Mapping[str, Any]]]
    further_reports: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"rows of {self.name}"


@dataclass(frozen=True)
class FileSource:
    """Data of a user's own, as it was declared: files, or a data set of the hub; `tasks/own/` reads it.

    `files` names, for each of `train`, `selection` and `report`, or for `file`, which is split, and for every
    further report split, the files in the folder that `tasks.load` is given; of a data set of the hub, its
    splits. What is not stated (`problem`, `labels`, `metrics`) is told by the data. `sha256` is that of the
    three splits, once they are known, and `further_sha256` those of the further ones.
    """

    files: tuple[tuple[str, tuple[str, ...]], ...] = ()
    text: tuple[str, ...] = ("text",)
    label: str = "label"
    problem: ProblemType | None = None
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    positive: str | None = None
    overlap: Overlap = "any_text"
    seed: int = 0
    hub: str | None = None
    config: str | None = None
    revision: str | None = None
    sha256: str | None = None
    template: Template | None = None
    further_sha256: tuple[str, ...] = ()

    @property
    def further_reports(self) -> tuple[str, ...]:
        """The names of its further report splits."""
        return tuple(part for part, _ in self.files if part not in TAKEN)

    def __str__(self) -> str:
        if self.hub is not None:
            return f"{self.hub}@{self.revision}"
        return "own files: " + ", ".join(name for _, names in self.files for name in names)


@dataclass(frozen=True)
class TaskSpec:
    """One task, checked when it is declared.

    `metrics[0]` is the metric that selects checkpoints and ranks methods. `labels` are in the order of
    their numbers and empty for a regression, and where text is written (a generation): `label_column` is then
    the text to write, and an input may have several of them. Where words are labelled (a token
    classification) the text column holds lists of words, `label_column` a tag of IOB2 for each
    (`tasks/bio.py`). `template` says how a model that writes is asked (see `written_as`). `overlap` says when
    two examples may not be in different splits: if they share any single text, or only if the whole example
    is the same (see `tasks/splits.py`). `citation` is a key of `tasks/CITATIONS.bib`, `collection` what its
    texts were drawn from where another task's were too.
    """

    name: str
    version: int
    title: str
    description: str
    problem_type: ProblemType
    text_columns: tuple[str, ...]
    label_column: str
    labels: tuple[str, ...]
    metrics: tuple[MetricSpec, ...]
    source: HubSource | PackageSource | RowsSource | FileSource
    license: str
    citation: str
    homepage: str
    overlap: Overlap = "any_text"
    superseded_by: str | None = None
    collection: str = ""
    template: Template | None = None

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        labelled, few = self.problem_type == "classification" or self.is_tagged, len(self.labels) < 2
        fault = bio.fault_of(self.labels) if self.is_tagged else None
        for problem, found in (
            (f"version must be at least 1, not {self.version}", self.version < 1),
            (f"title must be one line, not {self.title!r}", not self.title or "\n" in self.title),
            (f"one or two text columns, not {self.text_columns}", len(self.text_columns) not in (1, 2)),
            (f"labels repeat: {self.labels}", len(set(self.labels)) != len(self.labels)),
            (f"a {self.problem_type} has no labels", not labelled and self.labels),
            (f"a {self.problem_type} needs two labels or more, not {self.labels}", labelled and few),
            (f"a {self.problem_type} {fault}", fault),
            (f"one column of words, not {self.text_columns}", self.is_tagged and self.is_pair),
            ("sentences are compared whole: overlap='example'", self.is_tagged and self.overlap != "example"),
            ("at least one metric", not self.metrics),
            (
                f"a {self.problem_type} is not scored by {' and '.join(self._misused())}",
                bool(self._misused()),
            ),
            (f"its template {self.template} does not fit its texts and labels", self._template_misfits()),
            (f"no name for a further report split: {self._misnamed}", bool(self._misnamed)),
            (f"its source joins another number of texts than {self.text_columns}", self._join_misfits()),
        ):
            if found:
                raise TaskError(f"task {self.name!r}: {problem}")

    @property
    def further_reports(self) -> tuple[str, ...]:
        """The names of its further report splits, which are scored at the end beside the one that ranks."""
        return () if isinstance(self.source, PackageSource) else self.source.further_reports

    @property
    def _misnamed(self) -> list[str]:
        return misnamed(self.further_reports)

    def _join_misfits(self) -> bool:
        joined = self.source.joined if isinstance(self.source, HubSource) else None
        return joined is not None and len(joined.texts) != len(self.text_columns)

    def _misused(self) -> list[str]:
        """Metrics of the other kind of problem; what is not of Paretune is not known here."""
        of = {"classification": OF_LABELS, "regression": CORRELATIONS, "generation": WRITTEN}
        of |= {"token_classification": OF_SPANS}
        wrong = [metric for kind, some in of.items() if kind != self.problem_type for metric in some]
        return [metric.name for metric in self.metrics if metric in wrong]

    def _template_misfits(self) -> bool:
        if self.template is None:
            return False
        fields = ("text", "text_pair")[: len(self.text_columns)]
        try:
            found = sorted(self.template.fields())
        except ValueError:
            return True
        words = self.template.words
        wanted = len(self.labels) if words or self.problem_type == "classification" else 0
        unfit = found != sorted(fields) or len(set(words)) != wanted or len(words) != wanted or "" in words
        return unfit or self.is_tagged

    @property
    def written_as(self) -> Template:
        """How a model that writes is asked: as declared, or else as in T5.

        Raffel et al. 2020 (appendix D) write the name of a classification task and each column with its
        name, in alphabetical order, and answer with the name of the label. Of a generation the prompt is
        the text alone.

        Raises:
            TaskError: it is a regression, for which no words are declared, or labels words.
        """
        if self.template is not None:
            return self.template
        if self.problem_type == "generation":
            return Template("{text}" if not self.is_pair else "{text}\n{text_pair}")
        if self.problem_type == "regression":
            raise TaskError(f"task {self.name!r} is a regression: its numbers are not written as text")
        if self.is_tagged:
            raise TaskError(f"task {self.name!r} labels words: its tags are not written as text")
        named = sorted(zip(self.text_columns, ("{text}", "{text_pair}"), strict=False))
        asked = (f"{column}: ".replace("{", "{{").replace("}", "}}") + field for column, field in named)
        return Template(" ".join([self.name, *asked]), words=self.labels)

    @property
    def main_metric(self) -> MetricSpec:
        """The metric that selects checkpoints and ranks methods."""
        return self.metrics[0]

    @property
    def num_labels(self) -> int:
        """Outputs of the task head: the number of classes, 1 for a regression, 0 where text is written."""
        return 0 if self.problem_type == "generation" else len(self.labels) or 1

    @property
    def is_pair(self) -> bool:
        """Whether each example is two texts."""
        return len(self.text_columns) == 2

    @property
    def is_tagged(self) -> bool:
        """Whether each word of an example has a label."""
        return self.problem_type == "token_classification"


@dataclass(frozen=True)
class TaskData:
    """The three splits of one task, and its further report splits by name.

    Columns are exactly `text`, `text_pair` (pair tasks only) and `label` (int64, or float32 for a
    regression). Where text is written, `train` has a row per pair of an input and its `target`, and the other
    two have a row per input with its `references`, a list of texts. Where words are labelled, the columns
    are the lists `words` and `tags` (int64). A checkpoint or a hyperparameter is chosen on `selection`;
    `report` is scored once, at the end. Rows are in the order of a hash of their text.

    `dropped_train_examples` counts training examples left out because a text of theirs is also in the
    report split (hub sources) or repeats an earlier example of the file (packages). `sha256` covers the
    content of all three splits and nothing else: no path, no cache, no row numbers. `source` says where the
    data was read from without naming a place on this machine, and of a folder other row counts than official.
    """

    train: datasets.Dataset
    selection: datasets.Dataset
    report: datasets.Dataset
    sizes: dict[str, int]
    dropped_train_examples: int
    sha256: str
    source: str
    further: Mapping[str, Further] = field(default_factory=dict)

    def split(self, name: str) -> tuple[datasets.Dataset, str]:
        """The examples of a split, a further report split too, and the hash that tells them from others."""
        if name in self.further:
            return self.further[name].rows, self.further[name].sha256
        rows: datasets.Dataset = getattr(self, name)
        return rows, self.sha256
