"""A method alive in one model: what it trains, and the changes that it made, each of which can be undone."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from methods.anatomy.layers import WrappedLinear
from methods.anatomy.site import Site
from methods.core.options import Options
from methods.core.places import Place, at


@dataclass(frozen=True)
class Kept:
    """A parameter of the base that is out of the model while another one stands in for it."""

    places: tuple[Place, ...]
    """All that held it: several where layers share it and it is replaced in all of them."""
    own: nn.Parameter
    was: tuple[torch.device, torch.dtype]
    """Of the one that was put in its place: the model may be moved or cast meanwhile."""


_made: ContextVar[list[Change] | None] = ContextVar("changes being made", default=None)


class _Recorded(ABCMeta):
    """Notes every change when it has been made, for whoever has to take back those of a call that failed."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        change = super().__call__(*args, **kwargs)
        if (made := _made.get()) is not None:
            made.append(change)
        return change


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Take back every change that is made inside if anything fails, the last one first."""
    made: list[Change] = []
    token = _made.set(made)
    try:
        yield
    except BaseException:
        for change in reversed(made):
            change.undo()
        raise
    finally:
        _made.reset(token)


class Change(metaclass=_Recorded):
    """One thing that a method changed in a model. It is made when it is constructed."""

    reserved_positions: int = 0
    """Input positions that it takes from the user's sequence length."""

    @abstractmethod
    def undo(self) -> None:
        """Take it back, bit by bit. It is not folded when this is called."""


class Foldable(Change):
    """A change whose effect can be written into parameters of the base, for inference without its cost."""

    kept: list[Kept]
    """What :meth:`fold` has replaced; empty while it is not folded."""

    @abstractmethod
    def fold(self) -> None:
        """Write it into the base's parameters and step aside; computed in at least float32, rounded once."""

    @abstractmethod
    def unfold(self) -> None:
        """Undo :meth:`fold`, bit by bit."""


def stand_in(values: Sequence[tuple[Sequence[Place], Tensor]]) -> list[Kept]:
    """Put parameters with other values, in the dtype of those they replace, into the model; return the own.

    All values are made before the first is put in, so that running out of memory changes nothing. Another
    parameter stands there, not another value in the same one: what other layers share with it stays.
    """
    made = []
    for places, value in values:
        own = places[0].parameter
        made.append((tuple(places), own, nn.Parameter(value.to(own.dtype), requires_grad=own.requires_grad)))
    for places, _, other in made:
        for place in places:
            place.put(other)
    return [Kept(places, own, (other.device, other.dtype)) for places, own, other in made]


def moves(kept: Sequence[Kept]) -> dict[str, Any]:
    """What ``to`` has to be told for what is out of the model to follow it; empty where it did not move.

    A move alone is no cast: what trains in float32 on a base in half precision stays so.
    """
    found: dict[str, Any] = {}
    for one in kept:
        now = one.places[0].parameter
        found |= {"device": now.device} if now.device != one.was[0] else {}
        found |= {"dtype": now.dtype} if now.dtype != one.was[1] else {}
    return found


def give_back(kept: list[Kept]) -> dict[str, Any]:
    """Undo :func:`stand_in`, and forget; return the model's :func:`moves` meanwhile.

    The own parameters follow it, so they are bit by bit what they would be had they been in it.
    """
    moved = moves(kept)
    follow = [(one.own, one.own.data.to(**moved)) for one in kept] if moved else []
    for own, data in follow:
        own.data = data
    for one in kept:
        for place in one.places:
            place.put(one.own)
    kept.clear()
    return moved


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
    kept: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._put_wrapper()

    def undo(self) -> None:
        """Put the layer back."""
        self.site.put(self.wrapper.base)

    def fold(self) -> None:
        """Put the layer back with the wrapper's effect in its parameters."""
        base = self.wrapper.base
        self.kept += stand_in([([Place(base, name)], value) for name, value in self.wrapper.folded().items()])
        self.site.put(base)

    def unfold(self) -> None:
        """Give the layer its own parameters, and put the wrapper around it."""
        moved = give_back(self.kept)
        if moved:  # the wrapper was out of the model, and follows it
            self.wrapper.to(**moved)
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
    """The parameters that the method owns, by a name that is stable across runs, as it made them.

    Of a live model :attr:`live` tells what stands there now.
    """
    changes: list[Change] = field(default_factory=list)
    """What it changed, in order."""
    head: TaskHead = field(default_factory=TaskHead)
    places: dict[str, Place] = field(default_factory=dict)
    """Where the trained parameters lie, once the method is in the model."""

    @property
    def live(self) -> dict[str, nn.Parameter]:
        """The parameters that the method owns as they are in the model now."""
        return at(self.places)

    def undo(self) -> None:
        """Take all changes back, the last one first."""
        for change in reversed(self.changes):
            change.undo()

    def fold(self) -> None:
        """Fold all that can be; whatever fails leaves nothing folded."""
        done: list[Foldable] = []
        try:
            for change in self.foldable:
                change.fold()
                done.append(change)
        except BaseException:
            for change in reversed(done):
                change.unfold()
            raise

    def unfold(self) -> None:
        """Undo :meth:`fold`, bit by bit."""
        for change in reversed(self.foldable):
            change.unfold()

    @property
    def foldable(self) -> list[Foldable]:
        """The changes that can be folded, in order."""
        return [change for change in self.changes if isinstance(change, Foldable)]

    @property
    def kept(self) -> list[Kept]:
        """What folding has put out of the model."""
        return [one for change in self.foldable for one in change.kept]
