"""Which methods a bank serves, and what may differ between two tasks of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from methods.anatomy import Anatomy
from methods.core import Checkpoint, Options
from methods.errors import MethodError


@dataclass(frozen=True)
class Kind:
    """What may differ between the tasks of a method, beside the values of their tensors."""

    size: str | None = None
    """The option that sizes the tensors."""
    axes: Mapping[str, int] = field(default_factory=dict)
    """The axis that it sizes, by the last word of a tensor's name."""
    factor: str | None = None
    """What of the options scales what the method adds."""

    def shape(self, name: str, own: torch.Size, here: Options, there: Options) -> torch.Size:
        """The shape of a tensor of the method under other options.

        Args:
            name: of the tensor in a checkpoint.
            own: its shape under the options ``here``.
            here: options.
            there: the others.
        """
        axis = self.axes.get(name.rpartition(".")[2]) if name.startswith("method.") else None
        if self.size is None or axis is None or own[axis] != getattr(here, self.size):
            return own
        return torch.Size((*own[:axis], getattr(there, self.size), *own[axis + 1 :]))


_LOW_RANK = Kind("rank", {"lora_A": 0, "lora_B": 1}, "scaling")
_INNER = {"down": 0, "down_bias": 0, "up": 1}
SERVED: dict[str, Kind] = {
    "lora": _LOW_RANK,
    "dora": _LOW_RANK,
    "ia3": Kind(),
    "houlsby": Kind("bottleneck", _INNER),
    "lin": Kind("bottleneck", _INNER),
    "pfeiffer": Kind("bottleneck", _INNER),
    "parallel": Kind("bottleneck", _INNER, "scale"),
    "prefix": Kind("length", {"keys": 1, "values": 1}),
    "prompt": Kind("length", {"weight": 0}),
    "bitfit": Kind(),
    "ln": Kind(),
    "head": Kind(),
}
_NEAREST = {"top_layers": "lora with layers=last:2", "full": "lora, or bitfit for what is the base's own"}


def kind_of(method: str) -> Kind:
    """What may differ between the tasks of a method.

    Raises:
        MethodError: no bank serves it.
    """
    if method not in SERVED:
        raise MethodError(
            f"a bank does not serve {method}, whose rows of a batch would need weights of their own; the "
            f"nearest that it serves is {_NEAREST.get(method, 'lora')} (of {', '.join(SERVED)})."
        )
    return SERVED[method]


def check(
    saved: Checkpoint,
    options: Options,
    kind: Kind,
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
        found, expected = saved.tensors[name], kind.shape(name, ours.shape, here, options)
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
