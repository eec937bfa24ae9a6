"""Trained embeddings among the input's; what is decided about them is in ``methods/prompt.py``."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache

from methods.anatomy import (
    Anatomy,
    cached_length,
    explicit_positions,
    max_positions,
    numbers_positions,
    packed,
)
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

    Where every row of a batch has a prompt of its own, ``weight`` is (batch x length x width). They may be of
    different length: ``lengths``, (batch x 1), has each, and the weight is filled up to the longest. So is
    then the row: at its end, or in front of what is causal, so that no tokens of it are moved apart.

    Args:
        weight: initial P, (length x width).
        anatomy: the model it goes into.
    """

    lengths: Tensor | None = None

    def __init__(self, weight: Tensor, anatomy: Anatomy) -> None:
        super().__init__()
        first = anatomy.stacks[0]
        self.weight = nn.Parameter(weight)
        self.fills_front = anatomy.is_causal
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

    @property
    def length(self) -> int:
        """n; of several prompts that of the longest."""
        return self.weight.shape[-2]

    @property
    def _fill(self) -> Tensor | int:
        """How many slots in front of each row fill it up, (batch x 1)."""
        return self.length - self.lengths if self.lengths is not None and self.fills_front else 0

    def _insert(self, tensor: Tensor, rows: Tensor, starts: Tensor | None) -> Tensor:
        """Put rows (batch x n ...) into a tensor (batch x length ...)."""
        if starts is None and self.lengths is None:
            return torch.cat([tensor[:, : self.at], rows, tensor[:, self.at :]], dim=1)
        n, length = rows.shape[1], tensor.shape[1]
        slots = torch.arange(n + length, device=tensor.device)
        own = n if self.lengths is None else self.lengths
        at = self.at if starts is None else starts[:, None]
        moved = slots - self._fill
        inside = torch.where(moved < at + own, moved - at, moved + n - own)
        order = torch.where(moved < at, moved + n, inside)
        if self.lengths is not None:  # rows behind a row's own prompt are what fills it up
            filling = own + slots - (0 if self.fills_front else own + length)
            order = torch.where((moved < 0) | (moved >= own + length), filling, order)
        return _pick(torch.cat([rows, tensor], dim=1), order)

    def _take_out(self, tensor: Tensor, starts: Tensor | None) -> Tensor:
        """Undo :meth:`_insert`."""
        n = self.length
        if starts is None and self.lengths is None:
            return torch.cat([tensor[:, : self.at], tensor[:, self.at + n :]], dim=1)
        own = n if self.lengths is None else self.lengths
        at = self.at if starts is None else starts[:, None]
        slots = torch.arange(tensor.shape[1] - n, device=tensor.device)
        return _pick(tensor, self._fill + torch.where(slots < at, slots, slots + own))

    def _seen(self, mask: Tensor) -> Tensor:
        """The prompt's part of a mask (batch x length): 1, and 0 where a row is filled up."""
        seen = mask.new_ones(mask.shape[0], self.length)
        if self.lengths is None:
            return seen
        return seen * (torch.arange(self.length, device=mask.device) < self.lengths)

    def _masked(self, mask: Tensor, starts: Tensor | None) -> Tensor:
        """A mask (batch x length) with the prompt in it."""
        return self._insert(mask, self._seen(mask), starts)

    def _any_mask(self, mask: Tensor | None, batch: int, length: int) -> Tensor | None:
        """The mask that is given, or where rows are filled up one of all tokens."""
        if mask is not None or self.lengths is None:
            return mask
        return self.lengths.new_ones(batch, length)

    def before_forward(
        self, root: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Rewrite the inputs of the (first) stack; a forward pre-hook with keyword arguments."""
        (anatomy,) = self._anatomy
        inputs = dict(zip(self.forward_names, args, strict=False)) | kwargs
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
        n = self.length
        mask = self._any_mask(inputs.get("attention_mask"), batch, length)
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
            inputs["attention_mask"] = self._masked(mask, starts)
        if (types := inputs.get("token_type_ids")) is not None:
            inputs["token_type_ids"] = self._insert(types, types.new_zeros(batch, n), starts)
        if (positions := inputs.get("position_ids")) is not None:
            # Behind the first token, or from 0: padding in front of the prompt has any number.
            new = torch.arange(n, device=positions.device).expand(positions.shape[0], -1)
            new = new + positions[:, :1] + 1 if self.at else new
            shift = n if self.lengths is None else self.lengths
            behind = positions[:, self.at :] + shift
            first = positions[:, : self.at].expand(behind.shape[0], -1)
            shifted = torch.cat([first, behind], dim=1)
            if starts is not None or self.lengths is not None:
                shifted, new = shifted.expand(batch, -1), new.expand(batch, -1)
            inputs["position_ids"] = self._insert(shifted, new, starts)
        else:
            positions = explicit_positions(anatomy, ids, self._numbered)
            positions = self._behind_filling(n + length) if positions is None else positions
            if positions is not None:
                inputs["position_ids"] = positions
        return (), inputs

    def _numbered(self, real: Tensor) -> Tensor:
        """A mask of tokens that are no padding with the prompt in it, right behind where the text begins."""
        return self._masked(real, None)

    def _behind_filling(self, length: int, past: int = 0) -> Tensor | None:
        """Positions (batch x length) of rows that are filled up in front; None where none is.

        Raises:
            MethodError: the model takes none, and would count what fills a row up.
        """
        (anatomy,) = self._anatomy
        numbering = anatomy.fact(anatomy.stacks[0], "positions")
        if isinstance(self._fill, int) or numbering in ("mask", "none"):
            return None
        if not numbers_positions(anatomy):
            raise MethodError(
                f"{anatomy} takes no positions, so that prompts of different lengths cannot share a batch: "
                "call it with one length at a time."
            )
        counted = torch.arange(past, past + length, device=self._fill.device)
        return (counted - self._fill).clamp(min=0)

    def _behind_the_prompt(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Inputs of a later step of generation: the cache holds the prompt."""
        past = cached_length(inputs)
        new = inputs.get("input_ids") if inputs.get("inputs_embeds") is None else inputs["inputs_embeds"]
        batch, length = new.shape[:2]  # type: ignore[union-attr]
        mask = self._any_mask(inputs.get("attention_mask"), batch, past - self.length + length)
        if mask is not None:
            inputs["attention_mask"] = self._masked(mask, self._starts(mask))
        if (positions := inputs.get("position_ids")) is not None:
            inputs["position_ids"] = positions + (self.length if self.lengths is None else self.lengths)
        elif (positions := self._behind_filling(length, past)) is not None:
            inputs["position_ids"] = positions
        self._inserted = False
        return inputs

    def before_decoder(
        self, decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Let the decoder see the encoder's outputs over the prompt; a forward pre-hook."""
        read: Tensor | None = kwargs.get("encoder_hidden_states")
        if read is None:
            return args, kwargs
        mask = kwargs.get("encoder_attention_mask")
        mask = self._any_mask(mask, read.shape[0], read.shape[1] - self.length)
        if mask is not None and read.shape[1] == mask.shape[1] + self.length:
            kwargs = {**kwargs, "encoder_attention_mask": self._masked(mask, self._starts(mask))}
        return args, kwargs

    def after_forward(self, root: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """Drop the prompt's rows from the hidden states; a forward hook, called after an error as well."""
        held, self._cache = self._cache, None
        if isinstance(output, (tuple, dict)):
            parts = output.values() if isinstance(output, dict) else output
            held = next((part for part in parts if isinstance(part, Cache)), held)
        if isinstance(held, Cache) and not self.keeps_rows and held.get_seq_length():
            hide(held, self.length)
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
