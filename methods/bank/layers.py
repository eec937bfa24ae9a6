"""Layers of the base of which every row has parameters of its own: linear ones, convolutions, norms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from methods.bank.rows import Rows
from methods.bank.rowwise import Computed, products


class OwnParameters(Computed):
    """A module whose own parameters are out of it while a mixed batch runs."""

    def enter(self, rows: Rows) -> None:
        """Take them out."""
        super().enter(rows)
        self.displaced = {name: self.module._parameters[name] for name in self.names}
        for name, parameter in self.displaced.items():
            self.module._parameters[name] = self.instead(name, parameter)

    def leave(self) -> None:
        """Put them back."""
        super().leave()
        self.module._parameters.update(self.displaced)

    def instead(self, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
        """What stands there meanwhile."""
        return None


class Linears(OwnParameters):
    """A linear layer: W x + b, with b, or W and b, of each row's task.

    Where W is of a head whose tasks have different numbers of labels, what a row does not have is -inf.
    """

    module: nn.Linear | Conv1D

    def instead(self, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
        """No bias; GPT-2's layers need one to add."""
        if name == "bias" and isinstance(self.module, Conv1D) and parameter is not None:
            return nn.Parameter(torch.zeros_like(parameter), requires_grad=False)
        return parameter if name == "weight" else None

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(..., in) -> (..., out)."""
        (x,) = inputs
        if "weight" not in self.names:
            h = self.split(rows, self.own_function(x))
        else:
            weight = self.tensor(rows, "weight")
            weight = weight.transpose(1, 2) if isinstance(self.module, Conv1D) else weight
            h = products(self.split(rows, x), weight)
        if "bias" in self.names:
            h = h + self.tensor(rows, "bias")[:, None]
        elif "weight" in self.names and self.module.bias is not None:
            h = h + self.module.bias
        if "weight" in self.names and not isinstance(self.module, Conv1D):
            labels = rows.sizes(self.names["weight"], 0)
            if labels is not None:
                beyond = torch.arange(h.shape[-1], device=h.device) >= labels
                h = h.masked_fill(beyond[:, None], -torch.inf)
        return h.view(*x.shape[:-1], -1)


class Convolutions(OwnParameters):
    """A convolution with a bias of each row's task."""

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(batch x in x ...) -> (batch x out x ...)."""
        h = self.own_function(*inputs)
        bias = self.tensor(rows, "bias")
        return h + bias.view(*bias.shape, *[1] * (h.ndim - 2))


class Norms(Computed):
    """torch's norms, such as w * (x - mean) / std + b: with w and b, or one of them, of each row's task."""

    module: nn.LayerNorm | nn.RMSNorm

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(..., d) -> (..., d)."""
        (x,) = inputs
        norm = self.module
        if isinstance(norm, nn.LayerNorm):
            shared = norm.weight if "weight" not in self.names else None
            normal = F.layer_norm(x, norm.normalized_shape, shared, None, norm.eps)
        else:
            normal = F.rms_norm(x, norm.normalized_shape, None, norm.eps)
        y = self.split(rows, normal)
        if "weight" in self.names:
            y = y * self.tensor(rows, "weight")[:, None]
        bias = self.tensor(rows, "bias")[:, None] if "bias" in self.names else norm._parameters.get("bias")
        y = y if bias is None else y + bias
        return y.to(x.dtype).view_as(x)


class BroadcastNorms(OwnParameters):
    """A model's own norm: it multiplies by its weight, which may be (batch x 1 x d)."""

    def instead(self, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
        """Its own, until it runs."""
        return parameter

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(..., d) -> (..., d)."""
        x, *others = inputs
        y = self.split(rows, x) if x.ndim == 2 else x
        if y.shape[0] != rows.count:
            self.split(rows, x)  # says why not
        for name in self.names:
            tensor = self.tensor(rows, name)
            shaped = tensor.view(rows.count, *[1] * (y.ndim - 2), -1)
            self.module._parameters[name] = nn.Parameter(shaped, requires_grad=False)
        try:
            return self.own_function(y, *others).view_as(x)
        finally:
            self.module._parameters.update(self.displaced)


def broadcasts(norm: nn.Module, names: Mapping[str, str]) -> bool:
    """Whether a norm computes rows with weights of their own if they are handed to it so, tried out."""
    own = {name: norm._parameters[name] for name in names}
    first = next(iter(own.values()))
    if first is None or first.ndim != 1 or any(p is None or p.shape != first.shape for p in own.values()):
        return False
    width = first.shape[0]
    place: dict[str, Any] = {"device": first.device, "dtype": first.dtype}
    generator = torch.Generator(first.device).manual_seed(0)
    x = torch.randn(2, 3, width, generator=generator, **place)
    values = {name: torch.randn(2, width, generator=generator, **place) for name in own}

    def run(inputs: Tensor, of: Mapping[str, Tensor]) -> Tensor:
        norm._parameters.update({name: nn.Parameter(v, requires_grad=False) for name, v in of.items()})
        found: Tensor = norm(inputs)
        return found

    try:
        with torch.no_grad():
            mixed = run(x, {name: value[:, None] for name, value in values.items()})
            alone = [run(x[row : row + 1], {n: v[row] for n, v in values.items()}) for row in (0, 1)]
        return torch.allclose(mixed, torch.cat(alone), atol=1e-2 if first.itemsize < 4 else 1e-5)
    except (RuntimeError, TypeError, ValueError):
        return False
    finally:
        norm._parameters.update(own)
