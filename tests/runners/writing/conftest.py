from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from runners.writing.tokens import Form
from tasks.spec import Template
from tests.methods.conftest import tiny
from tests.runners.folders import word_tokenizer

FAMILIES = {"gpt2": "$A", "llama": "t1:1 $A", "t5": "$A t2:2", "bart": "t1:1 $A t2:2"}
"""What each puts around a text: t1 begins it, t2 ends it. Words from t40 on hold no name of such a token."""
PAIRS = ("t5", "bart")


@cache
def tokenizer(family: str) -> PreTrainedTokenizerFast:
    made = word_tokenizer(pad_token="t0", bos_token="t1", eos_token="t2", unk_token="t3")
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single=FAMILIES[family].replace(":1", "").replace(":2", ""),
        special_tokens=[("t1", 1), ("t2", 2)],
    )
    return made


def form(family: str, longest_prompt: int = 40, longest_target: int = 12, **template: Any) -> Form:
    written = Template(**({"prompt": "t9 {text}", "joint": " t8 t7"} | template))
    return Form(tokenizer(family), written, family in PAIRS, longest_prompt, longest_target)


def model(family: str, **changes: Any) -> Any:
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0}
    return tiny(family, "seq2seq" if family in PAIRS else "causal", **(ids | changes))


EVERY_FAMILY = pytest.mark.parametrize("family", FAMILIES)
