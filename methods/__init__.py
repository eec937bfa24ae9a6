"""How a frozen model is adapted: one file per method, one shared interface.

import methods
adapted = methods.apply(model, "lora", rank=8, alpha=16)
adapted.model                  # called like the Hugging Face model it is
adapted.parameter_counts()     # base, method, head, trainable

bank = methods.Bank(other)     # one base for many trained tasks of a method

methods.register(MyMethod())   # one of yours beside ours, for this process

Installed packages bring methods of their own by entry points of the group `paretune.methods`.

Beside this file are the methods; importing them needs no torch, which comes when a model does. Ground floor:
`errors`, `known`, `later`, `registry`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from methods.bitfit import BitFit
from methods.core import ACTS, Capability, Card, Checkpoint, Method, Options, write_to
from methods.did import DID
from methods.dora import DoRA
from methods.errors import (
    AnatomyError,
    IncompleteHeadWarning,
    MergeError,
    MethodError,
    OptionError,
    nearest,
)
from methods.full import Full
from methods.head import Head
from methods.houlsby import Houlsby
from methods.ia3 import IA3
from methods.known import KNOWN
from methods.later import later
from methods.lin import Lin
from methods.ln import LN
from methods.lora import LoRA
from methods.parallel import Parallel
from methods.pfeiffer import Pfeiffer
from methods.prefix import Prefix
from methods.prompt import Prompt
from methods.registry import Registry
from methods.said import SAID
from methods.top_layers import TopLayers
from methods.vera import VeRA

if TYPE_CHECKING:
    import torch

    from methods.anatomy import Anatomy, Model
    from methods.bank import Bank
    from methods.core import Adapted
else:
    __getattr__, __dir__ = later(__name__, {"methods.core": ("Adapted",), "methods.bank": ("Bank",)})

__all__ = ["ACTS", "Adapted", "AnatomyError", "Bank", "Capability", "Checkpoint", "IncompleteHeadWarning"]
__all__ += ["MergeError", "Method", "MethodError", "OptionError", "adapted", "apply", "capabilities"]
__all__ += ["export_peft", "faults", "get", "load", "names", "only_here", "origin", "register"]

REGISTRY: dict[str, Method[Any]] = KNOWN
_METHODS: tuple[Method[Any], ...] = (
    *(Full(), Head(), BitFit(), LN(), TopLayers()),
    *(LoRA(), DoRA(), VeRA(), IA3()),
    *(Houlsby(), Lin(), Pfeiffer(), Parallel()),
    *(Prefix(), Prompt()),
    *(DID(), SAID()),
)
for _method in _METHODS:
    if _method.name in REGISTRY:
        raise RuntimeError(f"two methods are called {_method.name!r}")
    REGISTRY[_method.name] = _method


def _checked(given: object) -> tuple[str, Method[Any]]:
    """A method of a stranger, who may give the class of it."""
    expected = "a method: an object of a class that extends methods.Method"
    if isinstance(given, type) and issubclass(given, Method):
        try:
            given = given()
        except TypeError as error:
            raise MethodError(f"{given!r:.80} is not complete: {error}.") from None
    if not isinstance(given, Method):
        raise MethodError(f"received {given!r:.80}, expected {expected}.")
    for name, kind in (("name", str), ("card", Card)):
        if not isinstance(getattr(given, name, None), kind):
            raise MethodError(
                f"the method {type(given).__name__} has no {name} that is a {kind.__name__}: "
                f"expected {expected}."
            )
    options = getattr(given, "options", None)
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise MethodError(
            f"the method {given.name!r} has the options {options!r:.80}, expected a class that extends "
            "methods.core.Options, such as NoOptions."
        )
    try:
        options()
    except ValidationError as error:
        raise MethodError(f"the method {given.name!r} has an option without a default: {error}") from None
    return given.name, given


_REGISTRY = Registry("method", REGISTRY, _checked, MethodError)


def names() -> tuple[str, ...]:
    """The names of all methods: ours, then those of other packages and scripts."""
    _REGISTRY.discover()
    return tuple(REGISTRY)


def get(name: str) -> Method[Any]:
    """Look a method up; an unknown name raises :class:`MethodError` with the nearest valid ones."""
    if name not in REGISTRY:
        _REGISTRY.discover()
    if name not in REGISTRY:
        raise MethodError(_REGISTRY.beside(f"unknown method {name!r}; {nearest(name, REGISTRY)}."))
    return REGISTRY[name]


def register(method: Method[Any]) -> None:
    """Add a method to those that this process knows; records say that it is not one of Paretune's.

    A process that this one starts, as for ``--workers``, does not know it: for those a package declares an
    entry point of the group ``paretune.methods``, whose value is a method, its class, or a list of such.

    Raises:
        MethodError: it is no method, or its name is taken.
    """
    _REGISTRY.register(method, sys._getframe(1).f_globals)


def origin(name: str) -> str | None:
    """Whose a method is, such as ``my-package 1.2``; None for ours, and for what is no method."""
    return _REGISTRY.origin(name)


def only_here(name: str) -> bool:
    """Whether a method was registered in this process, so that no other one knows it."""
    return _REGISTRY.only_here(name)


def faults() -> tuple[str, ...]:
    """A sentence on each entry point of another package that brings no method, for whatever reason."""
    _REGISTRY.discover()
    return tuple(_REGISTRY.faults)


def apply(model: Model, name: str, *, dtype: torch.dtype | None = None, **options: Any) -> Adapted:
    """Put a method into a model, in place.

    Args:
        model: any ``PreTrainedModel``.
        name: one of :func:`names`.
        dtype: of the method's own tensors; by default that of the layers they serve, and at least float32.
        options: the method's own, e.g. ``rank=8``; the rest keep their defaults.

    Raises:
        MethodError: unknown name or option, or the model has no place for the method. The model is then as it
            was.
    """
    from methods.core import Adapted

    method = get(name)
    return Adapted(model, method, method.options.parse(name, options), dtype)


def adapted(model: Model) -> Adapted:
    """The handle of the method that a model holds: what :func:`apply` returned.

    Raises:
        MethodError: it holds none.
    """
    from methods.core import held_by

    return held_by(model)


def capabilities(model: Model) -> tuple[Capability, ...]:
    """What each method can do on a model, with its default options: train, merge, generate, export to peft.

    It is tried out on a small copy made from the model's configuration; the model needs no weights, and is
    left as it was.

    Raises:
        MethodError: no small copy can be made and run.
    """
    from methods.core import capabilities as try_out

    return try_out(model, [get(name) for name in names()])


def load(model: Model, path: str | Path) -> Adapted:
    """Put a saved method, its options and its task head into a model of the same architecture.

    Args:
        model: any ``PreTrainedModel``.
        path: a folder that :meth:`Adapted.save` made, or one that the PEFT library saved (LoRA, DoRA, VeRA,
            (IA)^3, LayerNorm, prefix and prompt tuning). Of the task head peft may have stored a part or
            nothing: what is left out stays as it is in the model, fresh if that was just made, and a warning
            names it.

    Raises:
        MethodError: the folder is not a saved method, or does not fit the model. The model is then
            left as it was.

    Warns:
        IncompleteHeadWarning: a folder of the PEFT library leaves out some of the model's task head.
    """
    from methods.anatomy import Anatomy

    return _revived(model, _read(path, Anatomy(model)))


def export_peft(model: Model, saved: Checkpoint, path: str | Path) -> Path:
    """Write a checkpoint as a folder that the PEFT library loads; return the folder.

    :meth:`Adapted.export_peft` for a checkpoint whose base is not in memory.

    Args:
        model: one that the checkpoint fits; it may lie on the meta device, without weights.
        saved: the checkpoint.
        path: the folder, made if need be.

    Raises:
        MethodError: the checkpoint does not fit the model, or as :meth:`Adapted.export_peft`.
    """
    adapted = _revived(model, saved)  # checks that it fits
    try:
        return write_to(adapted.method.card.form, saved, adapted.anatomy, path)
    finally:
        adapted.remove()


def _revived(model: Model, saved: Checkpoint) -> Adapted:
    """A checkpoint in a model; on an error that is as it was."""
    from methods.core import fitting

    try:
        method = get(saved.method)
        options = method.options.parse(method.name, saved.options)
    except MethodError as error:  # another version's method or option
        raise MethodError(f"{saved.origin} cannot be loaded: {error}") from None
    adapted = fitting(model, method, options, saved)
    try:
        adapted.take(saved)
    except BaseException:
        adapted.remove()
        raise
    return adapted


def _read(path: str | Path, anatomy: Anatomy) -> Checkpoint:
    """Read a saved method, of ours or the PEFT library's, for a model."""
    from methods.peft.format import read_saved

    return read_saved(path, anatomy, {name: get(name) for name in names()})
