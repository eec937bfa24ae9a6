"""Prompt tuning: trained embeddings among the input's.

Paper: arXiv 2104.08691, section 2; code: google-research/prompt-tuning@72285ee, prompt_tuning/prompts.py.

    X <- [P; X]        P: (n x d), trains; X: (length x d), embeddings of the text

The input becomes [P; X] at the embedding layer, P (n x d) is all that trains, and n positions of the
model's input are used up.

The paper's T5 has relative positions and no pooled token. On encoders with absolute positions these
decisions change results, and are taken here as follows:

* Where the head pools position 0, P goes right behind the first token, [CLS] P x_1 ..., so that the head
  still reads [CLS]; otherwise in front of the text, behind padding on the left.
* P takes the positions at which it stands and shifts the text behind it: n + length must not exceed the
  model's maximum. RoBERTa's numbering, which skips padding, is rebuilt and passed explicitly.
* P has token type 0, is never masked, and goes in before the embedding LayerNorm, like any token.
* The body's hidden states lose the n rows again, so that whatever reads it finds the tokens where
  the user put them. In an encoder-decoder the prompt is part of the encoder's input, and the decoder
  attends to all n + length of its outputs, as T5 does in the paper: there the rows stay.
* While generating, the prompt is in the key/value cache after the first pass, and only masks and
  positions shift.

P starts from embeddings of words drawn from the vocabulary without replacement, or from U(-0.5, 0.5).
The paper's length is 100, with little gain above 20, which is the default here. Learning rate: the
paper's 0.3 is for Adafactor on T5; 3e-2 is for AdamW here. Searched: a decade to either side of that rate,
and lengths of 5 to 50 (the paper: 1 to 150; 100 would be most of the input).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import Card, Choice, Form, LogUniform, Method, Options, SearchSpace, Served, Work, at
from methods.errors import MethodError

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection

PROMPT = "prompt"
"""Name of the submodule that holds the prompt inside the body."""


class PromptOptions(Options):
    """Options of ``prompt``."""

    length: int = Field(20, ge=1, description="number n of trained input embeddings")
    init: Literal["vocabulary", "uniform"] = Field(
        "vocabulary", description="start from embeddings of random words, or from U(-0.5, 0.5)"
    )


def work(geometry: Geometry, options: PromptOptions) -> Work:
    """n more tokens, in everything."""
    return Work(positions=options.length)


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.peft.tokens import prompt_form

    return prompt_form(PromptOptions, f"{PROMPT}.weight")


class Prompt(Method[PromptOptions]):
    """Trained input embeddings."""

    name = "prompt"
    options = PromptOptions
    served = Served("length", {"weight": 0})
    card = Card(
        summary="Trained embeddings among the input's; uses up input positions.",
        source="arXiv 2104.08691; google-research/prompt-tuning@72285ee",
        places=at("prompt", "input"),
        learning_rate=3e-2,
        search_space=SearchSpace(LogUniform(3e-3, 3e-1), {"length": Choice((5, 20, 50))}),
        starts_at_base=False,
        work=work,
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: PromptOptions) -> Injection:
        """Put the prompt and its hooks into the body.

        Raises:
            AnatomyError: the model reads no tokens, or more than their embeddings.
            MethodError: the prompt leaves no position for input, or starts from more words than there are.
        """
        from methods.anatomy import max_positions, replaces_tokens
        from methods.core import Attach, Hook, Injection
        from methods.modules.prompt import SoftPrompt, begun

        replaces_tokens(anatomy)
        anatomy.fact(anatomy.stacks[0], "positions")
        limit = max_positions(anatomy)
        if limit is not None and options.length >= limit:
            raise MethodError(
                f"a prompt of {options.length} leaves no room for input: {anatomy} has {limit} positions."
            )
        words = anatomy.embedding.num_embeddings
        if options.init == "vocabulary" and options.length > words:
            raise MethodError(
                f"a prompt of {options.length} starts from as many words, and {anatomy} has {words}: "
                "use init=uniform."
            )
        prompt = SoftPrompt(begun(anatomy, options.length, options.init), anatomy)
        body, root = anatomy.body, anatomy.stacks[0].root
        hooks = [
            Hook(root.register_forward_pre_hook, prompt.before_forward, {"with_kwargs": True}),
            Hook(root.register_forward_hook, prompt.after_forward, {"always_call": True}),
        ]
        if anatomy.is_encoder_decoder:
            decoder = anatomy.stacks[1].root
            before = {"with_kwargs": True}
            hooks.append(Hook(decoder.register_forward_pre_hook, prompt.before_decoder, before))
        put = Attach(body, PROMPT, prompt, hooks, reserved_positions=options.length)
        return Injection(options, {f"{PROMPT}.weight": prompt.weight}, [put])

    def count(self, geometry: Geometry, options: PromptOptions) -> dict[str, int]:
        """d n, d the width of a token embedding."""
        return {"prompt": options.length * geometry.embedding}

    def fits(self, geometry: Geometry, options: PromptOptions) -> bool:
        """Whether there are as many words to start from, and positions left for the input."""
        limits = [geometry.vocabulary + 1] if options.init == "vocabulary" else []
        limits += [] if geometry.positions is None else [geometry.positions]
        return all(options.length < limit for limit in limits)
