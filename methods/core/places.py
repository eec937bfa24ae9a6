"""Where a parameter lives: it is looked up when it is asked for, never kept.

``load_state_dict(assign=True)``, ``fully_shard``, casting and moving may put another ``Parameter`` under the
same name of the same module; whoever kept the old one would save, count and restore what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Place:
    """A module and the name of one of its own parameters."""

    module: nn.Module
    name: str

    @property
    def parameter(self) -> nn.Parameter:
        """What is there now."""
        found = self.module._parameters[self.name]
        if found is None:
            raise AttributeError(f"{type(self.module).__name__} has no {self.name} any more")
        return found

    def put(self, parameter: nn.Parameter) -> None:
        """Put another parameter there."""
        self.module._parameters[self.name] = parameter


def every_place(modules: Iterable[nn.Module]) -> dict[int, list[Place]]:
    """For each parameter, by its identity, the places that hold it: several where layers share it."""
    found: dict[int, list[Place]] = {}
    for module in modules:
        for name, parameter in module._parameters.items():
            if parameter is not None:
                found.setdefault(id(parameter), []).append(Place(module, name))
    return found


class GradFlags:
    """Whether each parameter of a model takes gradients now, to be given back.

    Args:
        root: the model.
    """

    def __init__(self, root: nn.Module) -> None:
        places = [first for first, *_ in every_place(root.modules()).values()]
        self._required = [(place, place.parameter.requires_grad) for place in places]

    def give_back(self) -> None:
        """Let the parameters that are there now take gradients as they did."""
        for place, required in self._required:
            place.parameter.requires_grad_(required)


def located(parameters: Mapping[str, nn.Parameter], root: nn.Module) -> dict[str, Place]:
    """Where named parameters lie below a module."""
    known = every_place(root.modules())
    return {name: known[id(parameter)][0] for name, parameter in parameters.items()}


def at(places: Mapping[str, Place]) -> dict[str, nn.Parameter]:
    """What lies at named places now."""
    return {name: place.parameter for name, place in places.items()}
