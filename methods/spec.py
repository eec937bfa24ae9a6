"""The one interface that every tuning method implements.

A :class:`Method` says how a frozen transformer is adapted: which modules change, what is trained, how
many scalars that is in closed form. It knows nothing about tasks, training loops or measurement.
Methods are final: the interface is abstract, and no method subclasses another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from methods.anatomy import Anatomy, Site
from methods.errors import OptionError, explain
from methods.flops import Work
from methods.geometry import Geometry
from methods.linear import Foldable
from methods.moved import Moving
from methods.space import SearchSpace

BLOCK_WEIGHTS = (
    *("query", "key", "value", "output", "attention_norm"),
    *("up", "down", "feed_forward_norm"),
)
WEIGHTS = ("embeddings", *BLOCK_WEIGHTS)
PLACES = (
    *WEIGHTS,
    *("input", "keys_values", "attention_output", "down_input", "feed_forward_output", "block_end"),
)
"""Places of a transformer: what has weights, then where something can be put between."""


def at(what: str, *places: str) -> dict[str, str]:
    """The places where a method does something, for :attr:`Method.places`."""
    if unknown := set(places) - set(PLACES):
        raise RuntimeError(f"there are no places {unknown}")
    return dict.fromkeys(places, what)


class Options(BaseModel):
    """Base of a method's options: frozen, validated at construction, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, method: str, values: Mapping[str, Any]) -> Self:
        """Validate ``values``; raises :class:`OptionError` with one sentence."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise OptionError(explain(error, method, cls.model_fields)) from None


class NoOptions(Options):
    """For methods with nothing to choose."""


@dataclass
class Swap:
    """One module of the model replaced by another; reversible."""

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


class Following(nn.Module):
    """A module that follows another: it rewrites that one's (first) output."""

    def after(self, module: nn.Module, args: Any, output: Any) -> Any:
        """Apply ``forward`` to the output; a forward hook."""
        if isinstance(output, tuple):
            return (self(output[0]), *output[1:])
        return self(output)


@dataclass
class Follow:
    """A :class:`Following` attached to a module of the model, which stays what it is; reversible.

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
class Injection:
    """A method alive in one model: what it trains and what it changed."""

    trained: dict[str, nn.Parameter]
    """The parameters that the method owns, by a name that is stable across runs."""
    swaps: list[Swap] = field(default_factory=list)
    """Modules it replaced, in order."""
    extra_head: dict[str, nn.Parameter] = field(default_factory=dict)
    """Base parameters it trains that count with the task head (BitFit's pooler bias)."""
    undo: list[Any] = field(default_factory=list)
    """Further objects with an ``undo()`` method, called in reverse order by ``remove()``."""
    reserved_positions: int = 0
    """Input positions the method takes from the user's sequence length."""
    moving: Moving | None = None
    """Parameters that it moves where they are; it is in ``undo`` as well."""
    head_trains: bool = True
    """Whether the task head trains as itself; else the method moves it, and a checkpoint keeps its start."""
    resolved: Any = None
    """The options with what was settled on injection, if they differ: they rebuild it."""

    @property
    def foldable(self) -> list[tuple[Site, Foldable]]:
        """The swaps whose effect can be merged into a weight."""
        return [(s.site, s.replacement) for s in self.swaps if isinstance(s.replacement, Foldable)]


OptionsT = TypeVar("OptionsT", bound=Options)


class Method(ABC, Generic[OptionsT]):
    """How a frozen model is adapted. One instance per method, without state."""

    name: ClassVar[str]
    """The name in studies, on the command line and in records."""
    summary: ClassVar[str]
    """One line for people."""
    source: ClassVar[str]
    """Paper and original code."""
    places: ClassVar[Mapping[str, str]]
    """Where it acts by default, for a figure: some of :data:`PLACES`, each with what happens there."""
    options: ClassVar[type[Options]]
    """The options it takes, with their defaults."""
    mergeable: ClassVar[bool] = False
    """Whether :meth:`Adapted.merge` can write it into the base weights."""
    learning_rate: ClassVar[float]
    """Where AdamW starts when a run states nothing: from the paper or from our own measurement."""
    search_space: ClassVar[SearchSpace]
    """What a search of its settings may try: the learning rate, and the options that its paper tuned."""

    @abstractmethod
    def inject(self, anatomy: Anatomy, options: OptionsT) -> Injection:
        """Change the model in place. The body is already frozen when this is called.

        Raises:
            AnatomyError: the model has no such place as the method needs.
        """

    @abstractmethod
    def count(self, geometry: Geometry, options: OptionsT) -> dict[str, int]:
        """Closed-form number of trained scalars, split into named parts; the head is not in it."""

    @abstractmethod
    def work(self, geometry: Geometry, options: OptionsT) -> Work:
        """What it adds to a forward pass, and where something trains: its FLOPs follow from that."""

    def stored(self, injection: Injection, options: OptionsT) -> tuple[Options, dict[str, Tensor]]:
        """Return what a checkpoint keeps: options that rebuild it, and tensors by name.

        The default keeps everything that was trained.
        """
        options = injection.resolved or options
        return options, {name: parameter.detach() for name, parameter in injection.trained.items()}

    def stored_count(self, geometry: Geometry, options: OptionsT) -> int:
        """Closed-form number of scalars that a checkpoint keeps; a head that trains as itself apart."""
        return sum(self.count(geometry, options).values())
