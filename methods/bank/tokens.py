"""Prefixes and prompts of another task in every row."""

from __future__ import annotations

import torch
from torch import nn

from methods.bank.rows import Rows
from methods.bank.rowwise import RowWise
from methods.core import Options
from methods.core.attention import PARTS, KeysValues
from methods.modules.prefix import PositionShift
from methods.modules.prompt import SoftPrompt


class Prefixes(RowWise):
    """Keys and values in front of an attention's; where their number differs, some are hidden from a row.

    Args:
        module: they.
        names: see :class:`RowWise`.
    """

    def __init__(self, module: KeysValues, names: dict[str, str]) -> None:
        super().__init__(names)
        self.module = module

    def enter(self, rows: Rows) -> None:
        """Put those of the rows there."""
        self.displaced = {part: self.module._parameters[part] for part in PARTS}
        for part in PARTS:
            self.module._parameters[part] = nn.Parameter(rows.of(self.names[part]), requires_grad=False)
        lengths = rows.sizes(self.names["keys"], 1)
        if lengths is not None:
            slots = torch.arange(rows.of(self.names["keys"]).shape[2], device=lengths.device)
            self.module.rows = (slots < lengths)[:, None, None]

    def leave(self) -> None:
        """Put the module's own back."""
        self.module._parameters.update(self.displaced)
        self.module.rows = None


class Shifts(RowWise):
    """The numbering of tokens behind prefixes.

    Args:
        change: it.
        name: of a tensor that is as long as a prefix.
    """

    def __init__(self, change: PositionShift, name: str) -> None:
        super().__init__({})
        self.change, self.name = change, name

    def alone(self, options: Options) -> None:
        """Number from the length of the one task."""
        self.change.reserved_positions = options.length  # type: ignore[attr-defined]

    def enter(self, rows: Rows) -> None:
        """Number each row from its own length."""
        self.change.reserved_positions = rows.of(self.name).shape[2]
        self.change.of_rows = rows.sizes(self.name, 1)

    def leave(self) -> None:
        """Number all from one."""
        self.change.of_rows = None


class Prompts(RowWise):
    """Embeddings among the input's.

    Args:
        module: they.
        names: see :class:`RowWise`.
    """

    def __init__(self, module: SoftPrompt, names: dict[str, str]) -> None:
        super().__init__(names)
        self.module = module

    def enter(self, rows: Rows) -> None:
        """Put those of the rows there."""
        name = self.names["weight"]
        self.displaced = self.module.weight
        self.module._parameters["weight"] = nn.Parameter(rows.of(name), requires_grad=False)
        self.module.lengths = rows.sizes(name, 0)

    def leave(self) -> None:
        """Put the module's own back."""
        self.module._parameters["weight"] = self.displaced
        self.module.lengths = None
