"""Trained embeddings among the input's; what is decided about them is in ``methods/prompt.py``."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache

from methods.anatomy import Anatomy, cached_length, explicit_positions, max_positions, packed
from methods.core.precision import beside
from methods.core.prompted_cache import hide, reveal
from methods.errors import MethodError


def begun(anatomy: Anatomy, length: int, init: str) -> Tensor:
    """What P starts from, (length x width): words of the vocabulary, or U(-0.5, 0.5)."""
    table = anatomy.embedding.weight.detach()
    if init == "vocabulary":
        words = torch.randperm(table.shape[0])[:length].to(table.device)
        with torch.no_grad():  # by the module, which scales where the model does
            weight = anatomy.embedding(words).to(**beside(table), copy=True)
    else:
        weight = torch.empty(length, table.shape[1], **beside(table))
        nn.init.uniform_(weight, -0.5, 0.5)
    return weight


class SoftPrompt(nn.Module):
    """The prompt, and the hooks that put it into the body's input and take it out of its output.

    Args:
        weight: initial P, (length x width).
        anatomy: the model it goes into.
    """

    def __init__(self, weight: Tensor, anatomy: Anatomy) -> None:
        super().__init__()
        first = anatomy.stacks[0]
        self.weight = nn.Parameter(weight)
        self.at = 1 if anatomy.fact(first, "pools_first_token") else 0
        self.max_positions = max_positions(anatomy)
        self.keeps_rows = anatomy.is_encoder_decoder
        # Of the forward pass that is running: whether it put the prompt in, and where.
        self._inserted = True
        self._inserted_at: Tensor | None = None
        self._cache: Cache | None = None
        self.forward_names = list(inspect.signature(first.root.forward).parameters)
        # In a tuple the anatomy is not searched for submodules: the body must not contain itself.
        self._anatomy = (anatomy,)

    def _starts(self, mask: Tensor | None) -> Tensor | None:
        """Where each row's prompt goes, (batch): behind its padding. None where all go to ``at``."""
        return None if self.at or mask is None else mask.ne(0).int().argmax(dim=1)

    def _insert(self, tensor: Tensor, rows: Tensor, starts: Tensor | None) -> Tensor:
        """Put rows (batch x n ...) into a tensor (batch x length ...)."""
        if starts is None:
            return torch.cat([tensor[:, : self.at], rows, tensor[:, self.at :]], dim=1)
        n = rows.shape[1]
        slots, starts = torch.arange(n + tensor.shape[1], device=tensor.device), starts[:, None]
        inside = torch.where(slots < starts + n, slots - starts, slots)
        return _pick(torch.cat([rows, tensor], dim=1), torch.where(slots < starts, slots + n, inside))

    def _take_out(self, tensor: Tensor, starts: Tensor | None) -> Tensor:
        """Undo :meth:`_insert`."""
        n = self.weight.shape[0]
        if starts is None:
            return torch.cat([tensor[:, : self.at], tensor[:, self.at + n :]], dim=1)
        slots = torch.arange(tensor.shape[1] - n, device=tensor.device)
        return _pick(tensor, torch.where(slots < starts[:, None], slots, slots + n))

    def before_forward(
        self, root: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Rewrite the inputs of the (first) stack; a forward pre-hook with keyword arguments."""
        (anatomy,) = self._anatomy
        inputs = dict(zip(self.forward_names, args, strict=False)) | kwargs
        mask = inputs.get("attention_mask")
        _check(inputs)
        self._cache = inputs.get("past_key_values")
        held = reveal(self._cache) if isinstance(self._cache, Cache) else 0
        if cached_length(inputs):
            if not held and not self.keeps_rows:
                raise MethodError(
                    "the key/value cache was filled without this prompt: begin with an empty one, or with "
                    "one that this model returned."
                )
            return (), self._behind_the_prompt(inputs)
        ids, embeds = inputs.pop("input_ids", None), inputs.get("inputs_embeds")
        if embeds is None:
            embeds = anatomy.embedding(ids)  # (batch, length, width)
        batch, length, _ = embeds.shape
        n = self.weight.shape[0]
        starts = self._starts(mask)
        self._inserted, self._inserted_at = True, starts
        if self.max_positions is not None and n + length > self.max_positions:
            raise MethodError(
                f"a prompt of {n} and an input of {length} tokens need {n + length} positions, "
                f"the model has {self.max_positions}: shorten the input to {self.max_positions - n}."
            )
        rows = self.weight.to(embeds.dtype).expand(batch, -1, -1)
        inputs["inputs_embeds"] = self._insert(embeds, rows, starts)
        if mask is not None:
            inputs["attention_mask"] = self._insert(mask, mask.new_ones(batch, n), starts)
        if (types := inputs.get("token_type_ids")) is not None:
            inputs["token_type_ids"] = self._insert(types, types.new_zeros(batch, n), starts)
        if (positions := inputs.get("position_ids")) is not None:
            # Behind the first token, or from 0: padding in front of the prompt has any number.
            new = torch.arange(n, device=positions.device).expand(positions.shape[0], -1)
            new = new + positions[:, :1] + 1 if self.at else new
            shifted = torch.cat([positions[:, : self.at], positions[:, self.at :] + n], dim=1)
            if starts is not None:
                shifted, new = shifted.expand(batch, -1), new.expand(batch, -1)
            inputs["position_ids"] = self._insert(shifted, new, starts)
        elif (positions := explicit_positions(anatomy, ids, self.at, n)) is not None:
            inputs["position_ids"] = positions
        return (), inputs

    def _behind_the_prompt(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Inputs of a later step of generation: the cache holds the prompt."""
        n = self.weight.shape[0]
        if (mask := inputs.get("attention_mask")) is not None:
            inputs["attention_mask"] = self._insert(mask, mask.new_ones(mask.shape[0], n), self._starts(mask))
        if (positions := inputs.get("position_ids")) is not None:
            inputs["position_ids"] = positions + n
        self._inserted = False
        return inputs

    def before_decoder(
        self, decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Let the decoder see the encoder's outputs over the prompt; a forward pre-hook."""
        mask, n = kwargs.get("encoder_attention_mask"), self.weight.shape[0]
        if mask is not None and kwargs["encoder_hidden_states"].shape[1] == mask.shape[1] + n:
            longer = self._insert(mask, mask.new_ones(mask.shape[0], n), self._starts(mask))
            kwargs = {**kwargs, "encoder_attention_mask": longer}
        return args, kwargs

    def after_forward(self, root: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """Drop the prompt's rows from the hidden states; a forward hook, called after an error as well."""
        held, self._cache = self._cache, None
        if isinstance(output, (tuple, dict)):
            parts = output.values() if isinstance(output, dict) else output
            held = next((part for part in parts if isinstance(part, Cache)), held)
        if isinstance(held, Cache) and not self.keeps_rows and held.get_seq_length():
            hide(held, self.weight.shape[0])
        if output is None or self.keeps_rows or not self._inserted:
            return output
        length = (output if isinstance(output, Tensor) else output[0]).shape[1]

        def without(value: Any) -> Any:
            """Hidden states, (batch, length, width), one or several."""
            if isinstance(value, tuple):
                return tuple(map(without, value))
            rows = isinstance(value, Tensor) and value.ndim == 3 and value.shape[1] == length
            return self._take_out(value, self._inserted_at) if rows else value

        if not isinstance(output, dict):
            return without(output)
        for name, value in list(output.items()):
            output[name] = without(value)
        return output


def _check(inputs: dict[str, Any]) -> None:
    """Refuse inputs among which a prompt has no one place.

    Raises:
        MethodError: there are several texts in a row, or a mask or positions of another shape.
    """
    if packed(inputs):
        raise MethodError(
            "prompt goes in front of one text a row, and position_ids or cu_seq_lens say that a row holds "
            "several: give each text a row of its own."
        )
    for name, what in (("attention_mask", "an attention mask"), ("position_ids", "positions")):
        value = inputs.get(name)
        if value is not None and (not isinstance(value, Tensor) or value.ndim != 2):
            received = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise MethodError(
                f"prompt needs {what} of (batch x length), received {received}: masks of queries by keys, as "
                "for static key/value caches, are not supported."
            )


def _pick(tensor: Tensor, order: Tensor) -> Tensor:
    """Rows of a tensor (batch x length ...) in another order, (batch x new length)."""
    return tensor.gather(
        1, order.view(*order.shape, *[1] * (tensor.ndim - 2)).expand(-1, -1, *tensor.shape[2:])
    )
