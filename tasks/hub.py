"""Where the data of a task of the hub lies: its splits, at a commit, and what of their columns is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tasks.joined import Joined


@dataclass(frozen=True)
class FurtherSplit:
    """A further report split of a data set of the hub: what it is called, its split there, and its rows."""

    name: str
    split: str
    rows: int


@dataclass(frozen=True)
class HubSource:
    """A configuration of a hub dataset; a local folder of the same layout can stand in for it.

    The layout is `<folder>/<config>/<split>-*.parquet`, which is how `nyu-mll/glue` is stored. The
    revision is a commit, so that a later edit on the hub cannot change a published score; the rows are
    those of that commit, to tell a folder that holds something else. `unlabelled` is what stands in place of
    a label where there is none: such rows are left out. `joined` says how texts are written from columns,
    where they are not the text columns as they are.
    """

    hub_id: str
    revision: str
    config: str
    train_split: str
    report_split: str
    train_rows: int
    report_rows: int
    further_splits: tuple[FurtherSplit, ...] = ()
    unlabelled: int | None = None
    joined: Joined | None = None

    @property
    def further_reports(self) -> tuple[str, ...]:
        """The names of its further report splits."""
        return tuple(one.name for one in self.further_splits)

    def pattern(self, split: str) -> str:
        """What the files of a split are called in a local folder; of `*` those of every split."""
        return f"{split}-*.parquet"

    def __str__(self) -> str:
        return f"{self.hub_id} ({self.config})"


@dataclass(frozen=True)
class FolderSource(HubSource):
    """A data set that is in a local folder alone, since no commit of the hub is known that has its files.

    A split is one file, `<split>.json`, and `<split>_<part>` a part of the same file. `read` gives the rows
    of a split, by column, and raises ValueError where the file is another; `home` says who has the files.
    """

    read: Callable[[Path, str], dict[str, list]] = field(kw_only=True)
    home: str = field(kw_only=True)

    def pattern(self, split: str) -> str:
        """One file for all parts of a split."""
        return f"{split.partition('_')[0]}.json"

    def __str__(self) -> str:
        return f"{self.hub_id} of {self.home}"
