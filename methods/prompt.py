"""Prompt tuning: trained embeddings among the input's.

Paper: arXiv 2104.08691, section 2; code: google-research/prompt-tuning@72285ee, prompt_tuning/prompts.py.
The input becomes [P; X] at the embedding layer, P (n x d) is all that trains, and n positions of the
model's input are used up.

The paper's T5 has relative positions and no pooled token. On encoders with absolute positions these
decisions change results, and are taken here as follows:

* Where the head pools position 0, P goes right behind the first token, [CLS] P x_1 ..., so that the head
  still reads [CLS]; otherwise in front of everything.
* P takes the positions at which it stands and shifts the text behind it: n + length must not exceed the
  model's maximum. RoBERTa's numbering, which skips padding, is rebuilt and passed explicitly.
* P has token type 0, is never masked, and goes in before the embedding LayerNorm, like any token.
* The body's last hidden state loses the n rows again, so that whatever reads it finds the tokens where
  the user put them.

P starts from embeddings of words drawn from the vocabulary without replacement, or from U(-0.5, 0.5).
The paper's length is 100, with little gain above 20, which is the default here. Learning rate: the
paper's 0.3 is for Adafactor on T5; 3e-2 is for AdamW here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.anatomy import Anatomy, Geometry
from methods.errors import MethodError
from methods.spec import Injection, Method, Options

PROMPT = "prompt"
"""Name of the submodule that holds the prompt inside the body."""


class PromptOptions(Options):
    """Options of ``prompt``."""

    length: int = Field(20, ge=1, description="number n of trained input embeddings")
    init: Literal["vocabulary", "uniform"] = Field(
        "vocabulary", description="start from embeddings of random words, or from U(-0.5, 0.5)"
    )


class SoftPrompt(nn.Module):
    """The prompt, and the hooks that put it into the body's input and take it out of its output.

    Args:
        weight: initial P, (length x width).
        anatomy: the model it goes into.
    """

    def __init__(self, weight: Tensor, anatomy: Anatomy) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.at = 1 if anatomy.layout.pools_first_token else 0
        self.max_positions = anatomy.max_positions
        # In a tuple the anatomy is not searched for submodules: the body must not contain itself.
        self._anatomy = (anatomy,)

    def _insert(self, tensor: Tensor, rows: Tensor) -> Tensor:
        return torch.cat([tensor[:, : self.at], rows, tensor[:, self.at :]], dim=1)

    def before_forward(
        self, body: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Rewrite the body's inputs; a forward pre-hook with keyword arguments."""
        (anatomy,) = self._anatomy
        inputs = dict(zip(anatomy.forward_names, args, strict=False)) | kwargs
        ids, embeds = inputs.pop("input_ids", None), inputs.get("inputs_embeds")
        if embeds is None:
            embeds = anatomy.embedding(ids)  # (batch, length, width)
        batch, length, _ = embeds.shape
        n = self.weight.shape[0]
        if self.max_positions is not None and n + length > self.max_positions:
            raise MethodError(
                f"a prompt of {n} and an input of {length} tokens need {n + length} positions, "
                f"the model has {self.max_positions}: shorten the input to {self.max_positions - n}."
            )
        inputs["inputs_embeds"] = self._insert(embeds, self.weight.to(embeds.dtype).expand(batch, -1, -1))
        if (mask := inputs.get("attention_mask")) is not None:
            inputs["attention_mask"] = self._insert(mask, mask.new_ones(batch, n))
        if (types := inputs.get("token_type_ids")) is not None:
            inputs["token_type_ids"] = self._insert(types, types.new_zeros(batch, n))
        if (positions := inputs.get("position_ids")) is not None:
            new = positions[:, :1] + self.at + torch.arange(n, device=positions.device)
            shifted = torch.cat([positions[:, : self.at], positions[:, self.at :] + n], dim=1)
            inputs["position_ids"] = self._insert(shifted, new)
        elif (positions := anatomy.explicit_positions(ids, self.at, n)) is not None:
            inputs["position_ids"] = positions
        return (), inputs

    def after_forward(self, body: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """Drop the prompt's rows from the last hidden state; a forward hook."""
        hidden = output[0]  # (batch, length + n, width)
        n = self.weight.shape[0]
        hidden = torch.cat([hidden[:, : self.at], hidden[:, self.at + n :]], dim=1)
        if isinstance(output, tuple):
            return (hidden, *output[1:])
        output.last_hidden_state = hidden
        return output


@dataclass
class _UndoPrompt:
    """Takes the prompt and its hooks out of the body."""

    body: nn.Module
    handles: tuple[Any, Any]

    def undo(self) -> None:
        for handle in self.handles:
            handle.remove()
        delattr(self.body, PROMPT)


class Prompt(Method[PromptOptions]):
    """Trained input embeddings."""

    name = "prompt"
    summary = "Trained embeddings among the input's; uses up input positions."
    source = "arXiv 2104.08691; google-research/prompt-tuning@72285ee"
    options = PromptOptions
    learning_rate = 3e-2

    def inject(self, anatomy: Anatomy, options: PromptOptions) -> Injection:
        """Put the prompt and its hooks into the body.

        Raises:
            MethodError: the prompt leaves no position for input.
        """
        if anatomy.max_positions is not None and options.length >= anatomy.max_positions:
            raise MethodError(
                f"a prompt of {options.length} leaves no room for input: {anatomy} has "
                f"{anatomy.max_positions} positions."
            )
        table = anatomy.embedding.weight.detach()
        if options.init == "vocabulary":
            words = torch.randperm(table.shape[0])[: options.length].to(table.device)
            weight = table[words].clone()
        else:
            weight = torch.empty(options.length, table.shape[1], device=table.device, dtype=table.dtype)
            nn.init.uniform_(weight, -0.5, 0.5)
        prompt = SoftPrompt(weight, anatomy)
        body = anatomy.body
        handles = (
            body.register_forward_pre_hook(prompt.before_forward, with_kwargs=True),
            body.register_forward_hook(prompt.after_forward),
        )
        body.add_module(PROMPT, prompt.train(body.training))
        return Injection(
            trained={f"{PROMPT}.weight": prompt.weight},
            undo=[_UndoPrompt(body, handles)],
            reserved_positions=options.length,
        )

    def count(self, geometry: Geometry, options: PromptOptions) -> dict[str, int]:
        """d n, d the width of a token embedding."""
        return {"prompt": options.length * geometry.embedding}
