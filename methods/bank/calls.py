"""What a bank puts in place of a model's own calls: whose rows a batch has is said with it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import update_wrapper
from typing import Any, Protocol

from torch import Tensor

from methods.anatomy import Model
from methods.errors import MethodError

Names = str | Sequence[str]

_BATCHES = ("decoder_input_ids", "decoder_inputs_embeds", "input_ids", "inputs_embeds")


class Server(Protocol):
    """What is asked of a bank."""

    model: Model

    def tasks(self, names: Names) -> AbstractContextManager[Model]:
        """Serve these tasks for a while."""

    def reads(self, batch: int | None, labels: bool, writes: bool) -> None:
        """Make ready for a batch of so many rows."""


class Call:
    """A function of a model, called with ``task=`` or while the bank serves.

    Args:
        bank: the bank.
        name: of the function.
    """

    def __init__(self, bank: Server, name: str) -> None:
        self.bank, self.name = bank, name
        self.before = vars(bank.model).get(name)
        self.own = getattr(bank.model, name)
        update_wrapper(self, self.own)  # transformers reads the signature

    def put(self) -> None:
        """Put it in place of the model's own."""
        vars(self.bank.model)[self.name] = self

    def take_out(self) -> None:
        """Give the model its own."""
        del vars(self.bank.model)[self.name]
        if self.before is not None:
            vars(self.bank.model)[self.name] = self.before

    def __call__(self, *args: Any, task: Names | None = None, **kwargs: Any) -> Any:
        """Call the model's own.

        Raises:
            MethodError: no tasks are named, or not one for each row.
        """
        if task is not None:
            with self.bank.tasks(task):
                return self.run(args, kwargs)
        return self.run(args, kwargs)

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call it while the bank serves."""
        return self.own(*args, **kwargs)


class Forward(Call):
    """A forward pass."""

    writes = False
    """Whether it is one of ``generate``, which repeats rows."""

    def __init__(self, bank: Server) -> None:
        super().__init__(bank, "forward")
        self.names = list(inspect.signature(self.own).parameters)

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run it on a batch that has as many rows as tasks were named."""
        inputs = dict(zip(self.names, args, strict=False)) | kwargs
        self.bank.reads(batch_of(inputs, self.bank.model), inputs.get("labels") is not None, self.writes)
        return self.own(*args, **kwargs)


class Generate(Call):
    """``generate``."""

    def __init__(self, bank: Server, forward: Forward) -> None:
        super().__init__(bank, "generate")
        self.forward = forward

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Write, with beams or several sequences too: each row of a forward pass is that of its text."""
        before, self.forward.writes = self.forward.writes, True
        try:
            return self.own(*args, **kwargs)
        finally:
            self.forward.writes = before


class Save(Call):
    """``save_pretrained``, which would write one task or none into the base."""

    def __init__(self, bank: Server) -> None:
        super().__init__(bank, "save_pretrained")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse.

        Raises:
            MethodError: always.
        """
        raise MethodError(
            "save_pretrained() would write a base with a bank in it, which from_pretrained() cannot read: "
            "call remove() on the bank first; its tasks are the checkpoints that it was given."
        )


def batch_of(inputs: Mapping[str, Any], model: Model) -> int | None:
    """The number of rows that a model is called with; None where it cannot be told."""
    for name in (*_BATCHES, model.main_input_name):
        if isinstance(value := inputs.get(name), Tensor):
            return value.shape[0]
    return None
