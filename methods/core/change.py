"""What a method changes in a model: each change is made when it is constructed, and can be undone."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import InitVar, dataclass, field
from typing import Any

from torch import Tensor, nn

from methods.anatomy.layers import WrappedLinear
from methods.anatomy.site import Site
from methods.core.places import Place
from methods.core.standing_in import Kept, give_back, moves, stand_in

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
    computes: bool = True
    """Whether a forward pass computes anything on account of it."""

    @abstractmethod
    def undo(self) -> None:
        """Take it back, bit by bit. It is not folded when this is called."""

    @abstractmethod
    def redo(self) -> None:
        """Make it again after :meth:`undo`, with the very same tensors."""


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


@dataclass
class Swap(Change):
    """A module of the model replaced by another."""

    site: Site
    replacement: nn.Module
    original: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self.redo()

    def redo(self) -> None:
        """Put the replacement there."""
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
        self.redo()

    def undo(self) -> None:
        """Put the layer back."""
        self.site.put(self.wrapper.base)

    def redo(self) -> None:
        """Put the wrapper around the layer."""
        # The wrapper may have been out of the model when train() or eval() was called.
        self.wrapper.train(self.wrapper.base.training)
        self.site.put(self.wrapper)

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
        self.redo()


@dataclass
class Shared(Foldable):
    """A submodule that wrappers compute with and are no parents of: there once, and moved and copied once.

    It replaces nothing; while its readers are folded it is out of the model. It stands before them in an
    injection, so that it leaves first and comes back last.

    Args:
        module: what it becomes a child of.
        name: as which.
        child: it.
        beside: a parameter of the base, which it follows when the model is moved or cast meanwhile.
    """

    module: nn.Module
    name: str
    child: nn.Module
    beside: Place
    kept: list[Kept] = field(default_factory=list)
    left: Kept = field(init=False)
    """Where the model was when it left."""

    def __post_init__(self) -> None:
        self.redo()

    def undo(self) -> None:
        """Take it out."""
        delattr(self.module, self.name)

    def redo(self) -> None:
        """Put it in."""
        self.module.add_module(self.name, self.child.train(self.module.training))

    def fold(self) -> None:
        """Take it out of the model."""
        own = self.beside.parameter
        self.left = Kept((self.beside,), own, (own.device, own.dtype))
        delattr(self.module, self.name)

    def unfold(self) -> None:
        """Put it back, where the model is now."""
        self.child.to(**moves([self.left]))
        self.redo()


@dataclass
class Instead(Change):
    """Another value in a parameter of the base, which is kept in host memory meanwhile.

    Args:
        place: where the parameter lies.
        value: what stands there instead; it gets the parameter's own dtype.
        shared: whether other places hold the parameter too; it then stays where they need it.
    """

    place: Place
    value: InitVar[Tensor]
    shared: bool = False
    kept: list[Kept] = field(default_factory=list)
    other: nn.Parameter = field(init=False)
    """What stands there."""

    def __post_init__(self, value: Tensor) -> None:
        self.kept += stand_in([([self.place], value)])
        self.other = self.place.parameter
        self._own_leaves()

    def undo(self) -> None:
        """Give the base its own parameter."""
        for one in self.kept:
            one.own.data = one.own.data.to(self.place.parameter.device)
        give_back(self.kept)

    def redo(self) -> None:
        """Put the other one there again."""
        where = (self.other.device, self.other.dtype)
        self.kept.append(Kept((self.place,), self.place.parameter, where))
        self.place.put(self.other)
        self._own_leaves()

    def _own_leaves(self) -> None:
        for one in self.kept:
            one.own.data = one.own.data if self.shared or one.own.is_meta else one.own.data.to("cpu")


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
        self.redo()

    def redo(self) -> None:
        """Attach it."""
        module = self.site.module
        module.add_module(self.name, self.following.train(module.training))
        self.handle = module.register_forward_hook(self.following.after)

    def undo(self) -> None:
        """Detach it."""
        self.handle.remove()
        delattr(self.site.module, self.name)


@dataclass(frozen=True)
class Hook:
    """A hook that can be registered again."""

    register: Callable[..., Any]
    """A module's own method: ``module.register_forward_hook``."""
    function: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    """With which it is registered: ``always_call``, ``with_kwargs``."""


@dataclass
class Attach(Change):
    """A submodule added to a module of the model, and the hooks through which it acts.

    Args:
        module: what it becomes a child of.
        name: as which.
        child: it.
        hooks: through which it acts.
        reserved_positions: see :class:`Change`.
    """

    module: nn.Module
    name: str
    child: nn.Module
    hooks: Sequence[Hook] = ()
    reserved_positions: int = 0

    def __post_init__(self) -> None:
        self.redo()

    def undo(self) -> None:
        """Detach it."""
        for handle in self.handles:
            handle.remove()
        delattr(self.module, self.name)

    def redo(self) -> None:
        """Attach it."""
        self.module.add_module(self.name, self.child.train(self.module.training))
        self.handles = [hook.register(hook.function, **hook.options) for hook in self.hooks]
