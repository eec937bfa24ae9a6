"""The parameters of a model by what they are: the body's and the head's, norms, biases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import nn
from transformers import MODEL_MAPPING, PreTrainedModel

from methods.anatomy.drawn import fresh
from methods.anatomy.layers import is_norm
from methods.anatomy.quantised import scalars
from methods.errors import MethodError

Model = PreTrainedModel
_BIAS = re.compile(r"(^|[._])bias$")


def is_bias(name: str) -> bool:
    """Whether a parameter is a bias by its name: `q_bias` and `down_proj_bias` are."""
    return _BIAS.search(name) is not None


class Parameters:
    """A model and what its parameters are.

    Args:
        model: any transformers model, with or without a head.
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model, PreTrainedModel):
            raise MethodError(f"expected a transformers PreTrainedModel, received {type(model).__name__}.")
        self.model = model
        self.body: nn.Module = model.base_model
        self.config = model.config
        # A model that is frozen whole was frozen by who uses it, and says nothing of any one parameter.
        frozen = {id(p) for p in model.parameters() if not p.requires_grad}
        self._kept_frozen = frozen if any(p.requires_grad for p in model.parameters()) else set()
        self._inside: tuple[str, ...] = ("",)  # how the paths of what is in it begin

    @cached_property
    def body_prefix(self) -> str:
        """How the names of the body's parameters begin in the model's; empty where the body is the model."""
        name = next(name for name, module in self.model.named_modules() if module is self.body)
        return f"{name}." if name else ""

    @cached_property
    def is_language_model(self) -> bool:
        """Whether the model's head is its pretrained language modelling head, which is no task head."""
        return self.model.get_output_embeddings() is not None

    @cached_property
    def pooler_prefix(self) -> str | None:
        """Name prefix of the pooler's parameters inside the body, None without a pooler."""
        return "pooler." if getattr(self.body, "pooler", None) is not None else None

    @cached_property
    def _own_heads(self) -> tuple[str, ...]:
        """Name prefixes of task heads inside a body that is the whole model (T5 for question answering).

        What the architecture's bare model does not have; it is built without weights to see.
        """
        bare = MODEL_MAPPING.get(type(self.config), None)
        kinds: tuple[Any, ...] = tuple(bare) if isinstance(bare, (tuple, list)) else (bare,)
        if self.body is not self.model or self.is_language_model or bare is None or type(self.model) in kinds:
            return ()
        with torch.device("meta"):
            known = {name for name, _ in kinds[0](self.config).named_children()}
        if not any(name in known for name, _ in self.model.named_children()):
            return ()  # a stack of its own
        own = [name for name, _ in self.model.named_parameters(recurse=False)]
        return (*own, *(f"{name}." for name, _ in self.model.named_children() if name not in known))

    @property
    def _fresh(self) -> set[int]:
        """Ids of what lies in the body and belongs to the head: no checkpoint holds it."""
        names = fresh(self.model)
        return {id(p) for name, p in self.model.named_parameters() if name in names} if names else set()

    def _of_the_body(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The body's parameters, less those of a head inside it and what is fresh; of a part its blocks'."""
        seen = self._fresh
        for name, parameter in self.body.named_parameters(remove_duplicate=False):
            if id(parameter) in seen or name.startswith(self._own_heads) or not name.startswith(self._inside):
                continue
            seen.add(id(parameter))
            yield name, parameter

    def trainable(self, parameters: Mapping[str, nn.Parameter]) -> dict[str, nn.Parameter]:
        """Those of the base's parameters that the model does not keep frozen itself."""
        return {name: p for name, p in parameters.items() if id(p) not in self._kept_frozen}

    def body_parameters(self) -> dict[str, nn.Parameter]:
        """Every pretrained parameter by name: the body's, and a language model's head with it."""
        return dict(self.model.named_parameters() if self.is_language_model else self._of_the_body())

    @property
    def base_count(self) -> int:
        """Scalars in everything that is pretrained, however they are stored."""
        return sum(scalars(parameter) for parameter in self.body_parameters().values())

    def head_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the task head: those of the model that are not pretrained with the body.

        Beside what lies outside of it, what a checkpoint lacks inside (:mod:`methods.anatomy.drawn`).
        """
        inside = {id(parameter) for parameter in self.body_parameters().values()}
        return {name: p for name, p in self.model.named_parameters() if id(p) not in inside}

    def norm_parameters(self) -> dict[str, nn.Parameter]:
        """Weights and biases of every normalisation layer (LayerNorm or RMSNorm)."""
        drawn = self._fresh
        return {
            f"{path}.{name}": parameter
            for path, module in self.body.named_modules()
            if is_norm(module) and path.startswith(self._inside)
            for name, parameter in module.named_parameters(recurse=False)
            if id(parameter) not in drawn
        }

    def pooler_biases(self) -> dict[str, nn.Parameter]:
        """Every bias of a pooler that is pretrained; none without one."""
        pooler, drawn = self.pooler_prefix, self._fresh
        return {
            name: parameter
            for name, parameter in self.body.named_parameters()
            if pooler and name.startswith(pooler) and is_bias(name) and id(parameter) not in drawn
        }

    def bias_parameters(self) -> dict[str, nn.Parameter]:
        """Every bias of the body except the pooler's: what is called so, alone or behind another word."""
        return {
            name: parameter
            for name, parameter in self._of_the_body()
            if is_bias(name) and not (self.pooler_prefix and name.startswith(self.pooler_prefix))
        }
