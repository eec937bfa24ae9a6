"""Which methods a bank serves, and what may differ between two tasks of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from methods.anatomy import Anatomy
from methods.core import Checkpoint, Method, Options, Served
from methods.errors import MethodError
from methods.known import KNOWN


def kind_of(method: str) -> Served:
    """What may differ between the tasks of a method.

    Raises:
        MethodError: there is no such method, or no bank serves it.
    """
    known = KNOWN.get(method)
    if known is None or known.served is None:
        served = [name for name, one in KNOWN.items() if one.served is not None]
        instead = (known or Method).served_instead
        raise MethodError(
            f"a bank does not serve {method}, whose rows of a batch would need weights of their own; the "
            f"nearest that it serves is {instead} (of {', '.join(served)})."
        )
    found: Served = known.served
    return found


def check(
    saved: Checkpoint,
    options: Options,
    kind: Served,
    anatomy: Anatomy,
    own: Mapping[str, Tensor],
    here: Options,
) -> None:
    """Check that a checkpoint is a task of what a bank holds.

    Args:
        saved: the checkpoint.
        options: its own.
        kind: of its method.
        anatomy: the model.
        own: the task's tensors by name as the method that is in the model has them.
        here: the options of that.

    Raises:
        MethodError: it was trained on another architecture, acts in other places, or has tensors of other
            shapes than its options and its number of labels explain.
    """
    if saved.architecture != anatomy.config.model_type:
        raise MethodError(
            f"{saved.origin} was trained on {saved.architecture}, and {anatomy} is another architecture: add "
            "it to a bank on a model of its own."
        )
    if one_side := sorted(own.keys() ^ saved.tensors.keys()):
        differing = {
            name: (value, getattr(here, name))
            for name, value in options
            if value != getattr(here, name) and name in ("target", "layers", "layer_norms")
        }
        said = ", ".join(f"{name}={there}, here {ours}" for name, (there, ours) in differing.items())
        raise MethodError(
            f"{saved.origin} acts in other places than the bank's tasks{f' ({said})' if said else ''}: "
            f"{one_side[0]} is on one side only, so add it to a bank on a model of its own."
        )
    labels = labels_of(saved.tensors, own, anatomy.config)
    for name, ours in own.items():
        found, expected = saved.tensors[name], torch.Size(kind.shape(name, tuple(ours.shape), here, options))
        if name in labels:
            expected = torch.Size((labels[name], *expected[1:]))
        if found.shape != expected or not found.is_floating_point():
            what = f"{tuple(found.shape)} of {found.dtype}"
            raise MethodError(
                f"{saved.origin} does not fit {anatomy}: {name} is {what}, expected {tuple(expected)} of "
                f"{ours.dtype}."
            )


def labels_of(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], config: Any) -> dict[str, int]:
    """Those tensors of a head whose number of rows is the number of labels, where a task has another one.

    That is what was as long as the model's own number of labels, and is all of one other length.
    """
    rows = {
        name: tensors[name].shape[0]
        for name, ours in own.items()
        if name.startswith("head.")
        and ours.ndim
        and ours.shape[0] == config.num_labels
        and name in tensors
        and tensors[name].ndim == ours.ndim
        and tensors[name].shape[0] != ours.shape[0]
    }
    return rows if len(set(rows.values())) == 1 else {}
