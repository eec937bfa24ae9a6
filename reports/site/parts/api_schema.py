"""What the site says to programs: the documents below ``api/v1/``, as models from which their schema is made.

Within a version fields are added and none is taken away or given another meaning; what would break a reader
gets a new version, and the old one stays beside it. Paths are from the site's root; numbers are raw, bytes in
bytes, times in seconds, and what is not known is null.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from reports.records.schema_json import model_schema

VERSION: Final = 1
FOLDER: Final = f"api/v{VERSION}"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(_Part):
    """A number with its 95 % interval."""

    value: float | None
    low: float | None = Field(default=None, description="null where there is no interval")
    high: float | None = None


class Lost(_Part):
    """How often runs learned nothing."""

    runs: int
    lost: int | None = Field(description="runs no better than the best constant answer; null: not known")
    at_most: float | None = Field(description="upper end of the 95 % interval of their share")


class Costs(_Part):
    """What a method costs: medians over completed seeds."""

    trainable_parameters: int | None = Field(description="of the method and its head")
    stored_parameters: int | None
    checkpoint_bytes: int | None
    peak_training_bytes: int | None
    training_seconds: float | None = Field(description="to compare only where `machine` is the same")
    latency: Number | None = Field(
        description="of a pass, the untouched base = 1; each token where it writes"
    )
    merged_latency: Number | None = Field(description="the same merged into the base, where it merges")
    machine: str | None = Field(description="where the times were measured")


class Trial(_Part):
    """One run."""

    trial_id: str
    seed: int
    status: str
    page: str
    record: str = Field(description="all that is known of it, as `record.schema.json` says")


class Result(_Part):
    """A method at one setting, with one model on one task."""

    board: str = Field(description="id")
    model: str
    task: str
    method: str
    label: str = Field(description="method and what sets it apart from others on its board")
    options: dict[str, Any]
    ranked: bool
    why_not_ranked: str = Field(description="empty for a ranked one")
    measured_by: str
    superseded: bool = Field(
        default=False, description="whether another board has come in the place of its board"
    )
    metric: str | None
    higher_is_better: bool
    floor: float | None = Field(description="what the best constant answer scores")
    score: Number = Field(description="mean over seeds")
    seeds: int
    rank: float | None = Field(description="1 is the best; an average over seeds from three seeds on")
    learned_nothing: Lost
    costs: Costs
    trials: tuple[Trial, ...]


class Place(_Part):
    """A method over all tasks of its board."""

    label: str
    rank: Number
    gain: Number | None = Field(
        description="share of the way from the best constant answer to a perfect score"
    )
    learned_nothing: Lost


class Comparison(_Part):
    """Two methods over all tasks of their board; the intervals of all comparisons hold at once."""

    first: str
    second: str
    decision: Literal["better", "as good", "not decided"] = Field(description="of the first")
    decision_of_second: Literal["better", "as good", "not decided"]
    difference: Number = Field(description="first less second, of runs that learned")
    margin: float
    unit: str


class BoardEntry(_Part):
    """A board in the list."""

    id: str
    address: str
    model: str
    model_name: str = Field(description="what people call it, with its size")
    suite: str | None = Field(description="who measured it, where that is not Paretune")
    reported: bool = Field(description="whether others report it beside what the maintainers measured")
    superseded: tuple[str, ...] = Field(
        default=(),
        description="what came in its place and why, in a sentence; empty where it stands",
    )
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    page: str


class Entry(_Part):
    """A method or a task in the list."""

    name: str
    address: str
    pages: tuple[str, ...]


class Index(_Part):
    """Where everything is."""

    version: Literal[1] = VERSION
    title: str
    generator: str
    boards: tuple[BoardEntry, ...]
    methods: tuple[Entry, ...]
    tasks: tuple[Entry, ...]
    schemas: dict[str, str] = Field(description="JSON Schema of each kind of document")


class BoardDocument(BoardEntry):
    """One model: every method on every task, and how they compare."""

    version: Literal[1] = VERSION
    measured: str = Field(description="day of the newest trial of the site")
    sha256: str = Field(description="over every record of the site: the same data, the same hash")
    places: tuple[Place, ...] = Field(description="over all tasks, the best first; empty below three seeds")
    comparisons: tuple[Comparison, ...]
    results: tuple[Result, ...]


class MethodDocument(Entry):
    """Every result of a method."""

    version: Literal[1] = VERSION
    summary: str
    source: str
    mergeable: bool | None
    results: tuple[Result, ...]


class TaskDocument(Entry):
    """Every result on a task."""

    version: Literal[1] = VERSION
    title: str
    results: tuple[Result, ...]


KINDS: Final[dict[str, type[BaseModel]]] = {
    "index": Index,
    "board": BoardDocument,
    "method": MethodDocument,
    "task": TaskDocument,
}


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of every kind of document by name."""
    return {name: model_schema(model, f"api:{VERSION}:{name}") for name, model in KINDS.items()}
