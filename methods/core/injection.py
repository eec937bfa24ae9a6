"""A method alive in one model: what it trains, and the changes that it made, each of which can be undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from methods.anatomy.layers import WrappedLinear
from methods.anatomy.site import Site
from methods.core.options import Options

Kept = list[tuple[nn.Parameter, Tensor]]
"""Parameters of the base that hold something else now, each with its own value."""


class Change(ABC):
    """One thing that a method changed in a model. It is made when it is constructed."""

    reserved_positions: int = 0
    """Input positions that it takes from the user's sequence length."""

    @abstractmethod
    def undo(self) -> None:
        """Take it back, bit by bit. It is not folded when this is called."""


class Foldable(Change):
    """A change whose effect can be written into parameters of the base, for inference without its cost."""

    kept: Kept
    """What :meth:`fold` has overwritten; empty while it is not folded."""

    @abstractmethod
    def fold(self) -> None:
        """Write it into the base's parameters and step aside; computed in at least float32, rounded once."""

    @abstractmethod
    def unfold(self) -> None:
        """Undo :meth:`fold`, bit by bit."""


def overwrite(parameter: nn.Parameter, value: Tensor) -> tuple[nn.Parameter, Tensor]:
    """Give a parameter another value, in its dtype; return it with its own."""
    own = parameter.data
    parameter.data = value.to(own.dtype)
    return parameter, own


def give_back(kept: Kept) -> None:
    """Undo :func:`overwrite`, and forget."""
    for parameter, own in kept:
        parameter.data = own
    kept.clear()


@dataclass
class Swap(Change):
    """A module of the model replaced by another."""

    site: Site
    replacement: nn.Module
    original: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self.original = self.site.module
        self.replacement.train(self.original.training)
        self.site.put(self.replacement)

    def undo(self) -> None:
        """Put the original module back."""
        self.site.put(self.original)


@dataclass
class Wrap(Foldable):
    """A module put around a linear layer of the model."""

    site: Site
    wrapper: WrappedLinear
    kept: Kept = field(default_factory=list)

    def __post_init__(self) -> None:
        self._put_wrapper()

    def undo(self) -> None:
        """Put the layer back."""
        self.site.put(self.wrapper.base)

    def fold(self) -> None:
        """Put the layer back with the wrapper's effect in its parameters."""
        base = self.wrapper.base
        for name, value in self.wrapper.folded().items():
            self.kept.append(overwrite(base.get_parameter(name), value))
        self.site.put(base)

    def unfold(self) -> None:
        """Give the layer its own parameters, and put the wrapper around it."""
        give_back(self.kept)
        self._put_wrapper()

    def _put_wrapper(self) -> None:
        # The wrapper may have been out of the model when train() or eval() was called.
        self.wrapper.train(self.wrapper.base.training)
        self.site.put(self.wrapper)


class Following(nn.Module):
    """A module that follows another: it rewrites that one's (first) output."""

    def after(self, module: nn.Module, args: Any, output: Any) -> Any:
        """Apply ``forward`` to the output; a forward hook."""
        if isinstance(output, tuple):
            return (self(output[0]), *output[1:])
        return self(output)


@dataclass
class Follow(Change):
    """A :class:`Following` attached to a module of the model, which stays what it is.

    For places that are no module of their own, such as the end of a pre-norm block.
    """

    site: Site
    name: str
    following: Following

    def __post_init__(self) -> None:
        module = self.site.module
        module.add_module(self.name, self.following.train(module.training))
        self.handle = module.register_forward_hook(self.following.after)

    def undo(self) -> None:
        """Detach it."""
        self.handle.remove()
        delattr(self.site.module, self.name)


@dataclass
class Attach(Change):
    """A submodule added to a module of the model, and the hooks through which it acts.

    Args:
        module: what it becomes a child of.
        name: as which.
        child: it.
        handles: of its hooks.
        reserved_positions: see :class:`Change`.
    """

    module: nn.Module
    name: str
    child: nn.Module
    handles: list[Any] = field(default_factory=list)
    reserved_positions: int = 0

    def __post_init__(self) -> None:
        self.module.add_module(self.name, self.child.train(self.module.training))

    def undo(self) -> None:
        """Detach it."""
        for handle in self.handles:
            handle.remove()
        delattr(self.module, self.name)


@dataclass(frozen=True)
class TaskHead:
    """What a method has to do with the task head, beside letting it train."""

    extra: Mapping[str, nn.Parameter] = field(default_factory=dict)
    """Parameters of the base that train and count with it."""
    trains: bool = True
    """Whether it trains as itself; else the method moves it, and a checkpoint keeps where it began."""


@dataclass
class Injection:
    """A method alive in one model."""

    options: Options
    """Those that rebuild it: the ones it was asked for, with what was settled when it was put in."""
    trained: dict[str, nn.Parameter] = field(default_factory=dict)
    """The parameters that the method owns, by a name that is stable across runs."""
    changes: list[Change] = field(default_factory=list)
    """What it changed, in order."""
    head: TaskHead = field(default_factory=TaskHead)

    def undo(self) -> None:
        """Take all changes back, the last one first."""
        for change in reversed(self.changes):
            change.undo()

    @property
    def foldable(self) -> list[Foldable]:
        """The changes that can be folded, in order."""
        return [change for change in self.changes if isinstance(change, Foldable)]
