"""What can be counted of a model with a method in it: scalars, bytes, FLOPs, input that fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.positions import max_positions
from methods.core.flops import Flops, closed_form
from methods.core.injection import Injection
from methods.core.method import Method
from methods.core.options import Options
from methods.core.sizes import Sizes
from methods.core.task_parameters import TaskParameters
from methods.errors import AnatomyError


class Counted(ABC):
    """The half of an ``Adapted`` that counts and changes nothing."""

    anatomy: Anatomy
    method: Method[Any]
    options: Options
    sizes: Sizes
    """Of the base."""
    _base_count: int
    _injection: Injection
    _task: TaskParameters

    @abstractmethod
    def _alive(self) -> None:
        """Check that the method is in the model."""

    @property
    def head(self) -> dict[str, nn.Parameter]:
        """The parameters of the task head, and those of the base that count with it."""
        return self._task.head

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that trains, by its name in a checkpoint: ``method.*``, then ``head.*``."""
        return self._task.trained()

    def parameter_counts(self) -> dict[str, int]:
        """Count scalars on the live model.

        Returns:
            ``base`` (what is pretrained: the body, with a language model's head), ``method`` (trained by
            it), ``head`` (what trains of the task head), ``trainable`` (method + head).
        """
        self._alive()
        method = sum(p.numel() for p in self._injection.live.values())
        head = sum(p.numel() for n, p in self.trained().items() if n.startswith("head."))
        return {"base": self._base_count, "method": method, "head": head, "trainable": method + head}

    def parts(self) -> dict[str, int]:
        """The method's parameters by part, in closed form; where no geometry is known, the counted total."""
        try:
            return self.method.count(self.sizes.geometry, self.options)
        except AnatomyError:
            return {"counted": self.parameter_counts()["method"]}

    def stored_count(self) -> int:
        """Scalars that a checkpoint of the method keeps; a head that trains as itself apart."""
        return sum(tensor.numel() for tensor in self._task.stored(self.method))

    def stored_bytes(self) -> int:
        """Bytes of a checkpoint: of the same, and of a head that trains."""
        head = self.head.values() if self._task.head_trains else ()
        return sum(tensor.nbytes for tensor in (*self._task.stored(self.method), *head))

    def flops(self, batch: int, length: int) -> Flops:
        """FLOPs of a forward pass and a training step of ``batch`` x ``length`` tokens, in closed form.

        Raises:
            AnatomyError: nothing is known that tells them from the sizes.
        """
        work = self.method.card.work(self.sizes.geometry, self.options)
        return closed_form(self.sizes.geometry, self.sizes.wiring, work, batch, length)

    @property
    def changes_the_forward_pass(self) -> bool:
        """Whether the model computes anything that the base does not."""
        return any(change.computes for change in self._injection.changes)

    @property
    def max_input_length(self) -> int | None:
        """User's tokens that fit beside what the method takes; None where nothing limits them."""
        limit = max_positions(self.anatomy)
        reserved = sum(change.reserved_positions for change in self._injection.changes)
        return None if limit is None else limit - reserved
