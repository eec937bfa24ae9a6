"""A method in the model of a bank: where a task's tensors are put, and what computes with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from methods.anatomy import Model
from methods.bank.first import rows_come_first
from methods.bank.served import kind_of
from methods.bank.units import units_of
from methods.core import Checkpoint, Method, fitting
from methods.core.places import Place, every_place


class Held:
    """A method in the model of a bank, and what its tasks are put into.

    Args:
        model: the base.
        saved: a task, whose method and options it has.
        method: of it.

    Raises:
        MethodError: the method has no place in the model, or cannot be served there.
    """

    def __init__(self, model: Model, saved: Checkpoint, method: Method[Any]) -> None:
        self.method, self.kind = method, kind_of(method.name)
        self.adapted = fitting(model, method, method.options.parse(method.name, saved.options), saved)
        try:
            self._find()
        except BaseException:
            self.adapted.remove()
            raise

    def _find(self) -> None:
        adapted, anatomy = self.adapted, self.adapted.anatomy
        own = adapted.of_the_task()
        known = every_place(adapted.model.modules())
        self.places: dict[str, list[Place]] = {name: known[id(p)] for name, p in own.items()}
        self.units = units_of(adapted, self.places)
        layouts = anatomy.layouts
        if not anatomy.is_known:
            rows_come_first(adapted, self.units)
        self.flattens = anatomy.is_known and not any(one.attends_to_positions for one in layouts)

    @property
    def own(self) -> dict[str, nn.Parameter]:
        """The tensors that lie there now, by their names in a checkpoint."""
        return {name: held[0].parameter for name, held in self.places.items()}

    def put(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Put others there."""
        for name, held in self.places.items():
            for place in held:
                place.put(parameters[name])
