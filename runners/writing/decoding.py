"""Texts that a model writes: prompts in batches of similar length, greedily or by beams.

Nothing of how a checkpoint asks to be decoded (sampling, beams, a least length) takes part: what it leaves in
``generation_config`` would otherwise fill in all that is not said here. A text is what stands before its end;
behind it, transformers fills rows up with one token or another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessorList, NoRepeatNGramLogitsProcessor

from runners.writing import batches
from runners.writing.likelihood import by_length
from runners.writing.tokens import Form, Prompted


@dataclass(frozen=True)
class Decoding:
    """How text is written."""

    longest: int
    """Tokens at most, the one that ends a text included."""
    beams: int = 1
    """1 is greedy: the likeliest token each time."""
    length_penalty: float = 1.0
    """Of beams: a text's log-probability is divided by its length to this power."""
    no_repeat: int = 0
    """No as many tokens in a row are written twice, those of a prompt once; 0 lets everything be repeated."""

    def config(self, model: Any, form: Form) -> GenerationConfig:
        """All of it, and nothing of the checkpoint's own but where a decoder starts."""
        beams = {"length_penalty": self.length_penalty, "early_stopping": False} if self.beams > 1 else {}
        return GenerationConfig(
            max_new_tokens=self.longest,
            num_beams=self.beams,
            do_sample=False,
            use_cache=True,
            eos_token_id=form.end,
            pad_token_id=form.padding,
            bos_token_id=model.generation_config.bos_token_id,
            decoder_start_token_id=model.generation_config.decoder_start_token_id,
            **beams,
        )

    def processors(self, begin: int) -> LogitsProcessorList:
        """What forbids tokens, where the first ``begin`` of a row are not written (:func:`written_from`)."""
        return LogitsProcessorList([_NoRepeat(self.no_repeat, begin)] if self.no_repeat else [])


class _NoRepeat(NoRepeatNGramLogitsProcessor):
    """Forbids a second time what was written, and not what stands in the prompt, such as names to be said.

    A decoder's ``no_repeat_ngram_size`` would forbid both, and an encoder-decoder's not.
    """

    def __init__(self, size: int, begin: int) -> None:
        super().__init__(size)
        self.begin = begin

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Logits (rows x vocabulary) after these tokens (rows x length), minus infinity where forbidden."""
        written: Any = input_ids[:, self.begin :]
        return super().__call__(written, scores)


@dataclass(frozen=True)
class Written:
    """What was written, row by row."""

    texts: list[str]
    ended: np.ndarray
    """Whether a text came to its end before the limit."""
    tokens: np.ndarray
    """Tokens of each, its end included."""


def write(model: Any, rows: Prompted, form: Form, decoding: Decoding, batch_size: int) -> Written:
    """Let a model go on from every prompt.

    Args:
        model: a language model, with a method in it or not; it is left in evaluation mode.
        rows: the prompts.
        form: which made them.
        decoding: how.
        batch_size: prompts at once; it moves no text but by rounding.
    """
    model.eval()
    texts = [""] * len(rows)
    ended, tokens = np.zeros(len(rows), bool), np.zeros(len(rows), np.int64)
    with torch.inference_mode(), _deciding(model, decoding.config(model, form)):
        for which in by_length(Prompted(rows.prompts, None, rows.cut, rows.unended), batch_size):
            batch = {name: v.to(model.device) for name, v in batches.asking(rows, which, form).items()}
            begin = written_from(batch, form)
            made = model.generate(**batch, logits_processor=decoding.processors(begin))
            for index, row in zip(which.tolist(), made[:, begin:].tolist(), strict=True):
                ended[index] = form.end in row
                own = row[: row.index(form.end) + 1] if ended[index] else row
                tokens[index] = len(own)
                texts[index] = str(form.tokenizer.decode(own, skip_special_tokens=True)).strip()
    return Written(texts, ended, tokens)


def written_from(batch: dict[str, torch.Tensor], form: Form) -> int:
    """The place from which on ``generate()`` has written: behind the prompts, or behind a decoder's start."""
    return 1 if form.pair else batch["input_ids"].shape[1]


@contextmanager
def _deciding(model: Any, config: GenerationConfig) -> Iterator[None]:
    """Let this alone decide how the model decodes."""
    own = model.generation_config
    model.generation_config = config
    try:
        yield
    finally:
        model.generation_config = own
