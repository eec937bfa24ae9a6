"""What a report may say of methods and tasks beside their results. Whoever knows them fills it in.

Reports import neither package: runners pass a catalogue on.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from reports import text


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OptionCard(_Card):
    """An option of a method."""

    name: str
    default: str
    description: str


class MethodCard(_Card):
    """What a method is."""

    name: str
    summary: str = Field(description="one line")
    notes: str = Field(description="paragraphs apart by a blank line; an indented one is a formula")
    source: str = Field(description="paper and original code")
    places: dict[str, str] = Field(
        description="place of the block to what happens there, see reports/site/parts/block_figure.py"
    )
    mergeable: bool
    learning_rate: float
    options: tuple[OptionCard, ...]
    citation: str | None = Field(description="BibTeX")
    origin: str | None = Field(default=None, description="whose it is, where it is not one of Paretune's")


class TaskCard(_Card):
    """What a task is."""

    name: str
    title: str
    description: str
    license: str
    homepage: str
    citation: str | None = Field(description="BibTeX")
    collection: str = Field(
        default="", description="what its texts were drawn from, where another task's were too"
    )
    origin: str | None = Field(default=None, description="whose it is, where it is not one of Paretune's")


class ModelCard(_Card):
    """Where a model comes from, as far as it bears on its results."""

    name: str
    title: str = Field(default="", description="what people call it; empty where that is its name")
    origin: str = Field(description="what it is and what it was trained on; no full stop")
    seen: dict[str, str] = Field(
        default={}, description="task to what of it is among the model's own training data"
    )
    notes: tuple[str, ...] = Field(default=(), description="sentences")

    @property
    def sentences(self) -> list[str]:
        """All that is said of it."""
        data, seen = text.listing([*dict.fromkeys(self.seen.values())]), text.listing([*self.seen])
        verb = "is" if len(self.seen) == 1 else "are"
        listed = [f"Its own list of training data has {data}: {seen} {verb} not unseen by it."]
        return [f"It is {self.origin}.", *(listed if self.seen else []), *self.notes]


class Catalogue(_Card):
    """Cards by name; a name without a card has its results only."""

    methods: tuple[MethodCard, ...] = ()
    tasks: tuple[TaskCard, ...] = ()
    models: tuple[ModelCard, ...] = ()

    def method(self, name: str) -> MethodCard | None:
        """The card of a method, if there is one."""
        return next((card for card in self.methods if card.name == name), None)

    def task(self, name: str) -> TaskCard | None:
        """The card of a task, if there is one."""
        return next((card for card in self.tasks if card.name == name), None)

    def model(self, name: str) -> ModelCard | None:
        """The card of a model, if there is one."""
        return next((card for card in self.models if card.name == name), None)

    def drawn_together(self, tasks: Iterable[str]) -> dict[str, str]:
        """By collection, those of the tasks that are drawn from it, as a list, where there are several."""
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys(tasks):
            card = self.task(name)
            if card is not None and card.collection:
                found.setdefault(card.collection, []).append(text.name(name))
        return {collection: text.listing(names) for collection, names in found.items() if len(names) > 1}

    def seen(self, model: str, task: str) -> str | None:
        """What of a task is among a model's own training data, where that is known."""
        card = self.model(model)
        return card.seen.get(task) if card else None
