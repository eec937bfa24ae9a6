"""What a report may say of methods and tasks beside their results. Whoever knows them fills it in.

Reports import neither package: runners pass a catalogue on.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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


class TaskCard(_Card):
    """What a task is."""

    name: str
    title: str
    description: str
    license: str
    homepage: str
    citation: str | None = Field(description="BibTeX")


class Catalogue(_Card):
    """Cards by name; a name without a card has its results only."""

    methods: tuple[MethodCard, ...] = ()
    tasks: tuple[TaskCard, ...] = ()

    def method(self, name: str) -> MethodCard | None:
        """The card of a method, if there is one."""
        return next((card for card in self.methods if card.name == name), None)

    def task(self, name: str) -> TaskCard | None:
        """The card of a task, if there is one."""
        return next((card for card in self.tasks if card.name == name), None)
