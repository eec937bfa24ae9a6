"""Parameters that are read moved: theta0 stays in the model, and its modules compute with theta0 + delta.

For methods that change every weight and add no module of their own. A module whose parameters are moved
gets a subclass of its class, with a property for each of them: what the module reads is the moved value
where there is one, and ``named_parameters``, ``state_dict`` and optimisers see theta0 under its own name.
Tied weights stay tied.

The values are made when the model, its body or one of its stacks is entered, once for what is called
inside. They go when it returns, unless gradients are recorded: checkpointed blocks read them again in the
backward pass, so there they stay until the next pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from methods.core.change import Foldable
from methods.core.places import Place
from methods.core.recomputed import refuse_reentrant
from methods.core.standing_in import Kept, give_back, stand_in
from methods.errors import MethodError


def _key(name: str) -> str:
    return f"_moved_{name}"


@cache
def _reader(kind: type[nn.Module], names: tuple[str, ...]) -> type[nn.Module]:
    """A subclass of a module's class that reads these parameters moved."""

    def read(name: str) -> property:
        key = _key(name)

        def get(module: nn.Module) -> Any:
            value = getattr(module, key)
            return module._parameters[name] if value is None else value

        return property(get)

    def getstate(module: nn.Module) -> dict[str, Any]:
        """Copies and pickles leave out values that belong to one pass."""
        return {**kind.__getstate__(module), **dict.fromkeys(map(_key, names))}

    def reduce(module: nn.Module, protocol: Any) -> tuple[Any, ...]:
        """This class has no name of its own under which it could be found: it is made again."""
        return _revived, (kind, names), getstate(module)

    content = {name: read(name) for name in names}
    about = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    own = {"__getstate__": getstate, "__reduce_ex__": reduce}
    return type(kind.__name__, (kind,), {**content, **about, **own})


def _revived(kind: type[nn.Module], names: tuple[str, ...]) -> nn.Module:
    """An empty module of a reader's class, for a copy or a pickle to fill."""
    key: Any = kind
    reader = _reader(key, names)
    return reader.__new__(reader)


class Mover(nn.Module):
    """Makes the moved values; a subclass's ``forward`` returns one for every parameter.

    Args:
        places: for every parameter the places that hold it, more than one where it is tied.
    """

    def __init__(self, places: list[list[Place]]) -> None:
        super().__init__()
        self.places = places  # in lists, so the modules do not become children
        self._entered: list[nn.Module] = []

    @property
    def depth(self) -> int:
        """How many roots a pass is inside of."""
        return len(self._entered)

    @property
    def bases(self) -> list[nn.Parameter]:
        """theta0, parameter by parameter."""
        return [place.parameter for place, *_ in self.places]

    def enter(self, root: nn.Module, args: Any) -> None:
        """Make the values; a forward pre-hook.

        Raises:
            MethodError: the parameters are sharded over processes, or blocks are checkpointed reentrantly.
        """
        self._entered.append(root)
        if self.depth > 1:
            return
        refuse_reentrant(root, "a subspace of all parameters makes their values")
        if any(isinstance(parameter, DTensor) for parameter in self.bases):
            raise MethodError(
                "a subspace of all parameters takes them whole, and the model's blocks are sharded over "
                "processes: replicate it there (DistributedDataParallel)."
            )
        self.put(None)  # the old ones first: both together are two models
        self.put(self())

    def leave(self, root: nn.Module, args: Any, output: Any) -> None:
        """Drop the values; a forward hook that is also called after an error, entered or not."""
        if root in self._entered:
            self._entered.remove(root)
        if self.depth == 0 and not torch.is_grad_enabled():
            self.put(None)

    def put(self, values: list[Tensor] | None) -> None:
        """Let the places read these values, or theta0."""
        for index, places in enumerate(self.places):
            for place in places:
                setattr(place.module, _key(place.name), None if values is None else values[index])


@dataclass
class Moving(Foldable):
    """A :class:`Mover` alive in a model.

    Args:
        parent: the module that it becomes a child of.
        name: as which.
        mover: it.
        roots: what a pass begins with; the outermost one counts.
    """

    parent: nn.Module
    name: str
    mover: Mover
    roots: list[nn.Module]
    handles: list[Any] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.attach()

    def _modules(self) -> Iterator[tuple[nn.Module, tuple[str, ...]]]:
        names: dict[nn.Module, list[str]] = {}
        for places in self.mover.places:
            for place in places:
                names.setdefault(place.module, []).append(place.name)
        for module, own in names.items():
            yield module, tuple(own)

    def attach(self) -> None:
        """Put it into the model."""
        self.parent.add_module(self.name, self.mover.train(self.parent.training))
        for module, names in self._modules():
            for name in names:
                setattr(module, _key(name), None)
            kind: Any = type(module)
            module.__class__ = _reader(kind, names)
        for root in self.roots:
            self.handles.append(root.register_forward_pre_hook(self.mover.enter))
            self.handles.append(root.register_forward_hook(self.mover.leave, always_call=True))

    def detach(self) -> None:
        """Take it out of the model, which computes with theta0 then."""
        for handle in self.handles:
            handle.remove()
        self.handles.clear()
        for module, names in self._modules():
            module.__class__ = type(module).__mro__[1]
            for name in names:
                delattr(module, _key(name))
        delattr(self.parent, self.name)

    def undo(self) -> None:
        """Take it out of the model."""
        self.detach()

    def redo(self) -> None:
        """Put it in."""
        self.attach()

    def fold(self) -> None:
        """Give every parameter its moved value, and take the mover out."""
        with torch.no_grad():
            self.kept += stand_in(list(zip(self.mover.places, self.mover(), strict=True)))
        self.detach()

    def unfold(self) -> None:
        """Give every parameter theta0, and put the mover in."""
        moved = give_back(self.kept)
        if moved:  # the mover was out of the model, and follows it
            self.mover.to(**moved)
        self.attach()
