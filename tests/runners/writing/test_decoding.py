"""What a model writes and how likely it finds what it is given; tiny models in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import methods
from runners.writing import batches
from runners.writing.decoding import Decoding, write
from runners.writing.likelihood import log_likelihoods, nats_per_token, word_scores
from tests.methods.cells import perturb

from .conftest import EVERY_FAMILY, form, model

TEXTS = [["t40 t41 t42 t43 t44"], ["t45"], ["t46 t47 t48"], ["t49 t50"]]
TARGETS = ["t60", "t61 t62 t63", "t64 t65", "t66 t67 t68 t69"]
EITHER = pytest.mark.parametrize("beams", [1, 3])


@EVERY_FAMILY
@EITHER
def test_a_text_does_not_hang_on_its_batch_nor_on_the_checkpoints_own_settings(
    family: str, beams: int
) -> None:
    writer = model(family, dtype=torch.float64)
    perturb(methods.apply(writer, "lora", rank=2))
    how, decoding = form(family), Decoding(longest=6, beams=beams)
    rows = how.prompted(TEXTS)
    together = write(writer, rows, how, decoding, batch_size=3)
    alone = [write(writer, how.prompted([text]), how, decoding, batch_size=1) for text in TEXTS]
    assert together.texts == [one.texts[0] for one in alone]
    assert together.tokens.tolist() == [one.tokens[0] for one in alone]
    assert together.ended.tolist() == [bool(one.ended[0]) for one in alone]
    assert any(together.texts)
    before = writer.generation_config
    before.update(do_sample=True, temperature=9.0, num_beams=2, min_length=30, no_repeat_ngram_size=1)
    before.update(forced_bos_token_id=50, suppress_tokens=[*range(60, 90)], eos_token_id=[2, 60])
    assert write(writer, rows, how, decoding, batch_size=2).texts == together.texts
    assert writer.generation_config is before


@EVERY_FAMILY
def test_greedy_text_is_the_likeliest_token_each_time_up_to_its_end(family: str) -> None:
    writer, how = model(family, dtype=torch.float64), form(family)
    rows = how.prompted(TEXTS[:1])
    made = write(writer, rows, how, Decoding(longest=5), batch_size=4)
    read, told = rows.prompts[0].tolist(), []
    while len(told) < 5 and 2 not in told:
        ids = torch.tensor([read if how.pair else read + told])
        more = {"decoder_input_ids": torch.tensor([[0, *told]])} if how.pair else {}
        with torch.no_grad():
            told.append(int(writer(input_ids=ids, **more).logits[0, -1].argmax()))
    assert made.tokens[0] == len(told)
    assert made.ended[0] == (2 in told)
    assert made.texts[0] == how.tokenizer.decode(told, skip_special_tokens=True).strip()


@EVERY_FAMILY
def test_a_text_that_ends_is_told_from_one_that_is_cut(family: str) -> None:
    writer, how = model(family), form(family)
    head = writer.get_output_embeddings()

    def end(module: object, args: object, logits: torch.Tensor) -> torch.Tensor:
        """The end is all that is likely once three tokens stand there."""
        steps["made"] += 1
        logits = logits.clone()
        logits[..., 2] = 1e4 if steps["made"] >= steps["from"] else -1e4
        return logits

    steps = {"made": 0, "from": 3}
    head.register_forward_hook(end)
    found = write(writer, how.prompted(TEXTS), how, Decoding(longest=6), batch_size=4)
    assert found.ended.all()
    assert found.tokens.tolist() == [3] * 4
    steps |= {"made": 0, "from": 99}
    found = write(writer, how.prompted(TEXTS), how, Decoding(longest=6), batch_size=4)
    assert not found.ended.any()
    assert found.tokens.tolist() == [6] * 4


@EVERY_FAMILY
@EITHER
def test_no_repeat_forbids_what_was_written_and_not_what_the_prompt_has(family: str, beams: int) -> None:
    writer, how = model(family), form(family)
    first = how.tokenizer.convert_tokens_to_ids("t40")
    place = {"of": 0}

    def in_turn(module: object, args: object, logits: torch.Tensor) -> torch.Tensor:
        """t40, t41, t42 and again, with everything else far behind."""
        logits = logits.clone()
        logits[..., first + place["of"] % 3] = 1e4
        place["of"] += 1
        return logits

    writer.get_output_embeddings().register_forward_hook(in_turn)
    rows = how.prompted([["t40 t41 t42 t40 t41 t42"]])
    for longest, no_repeat, expected in (
        (6, 0, "t40 t41 t42 t40 t41 t42"),
        (4, 2, "t40 t41 t42 t40"),
    ):
        place["of"] = 0
        decoding = Decoding(longest=longest, beams=beams, no_repeat=no_repeat)
        assert write(writer, rows, how, decoding, batch_size=1).texts == [expected]
    place["of"] = 0
    written = write(writer, rows, how, Decoding(longest=5, no_repeat=2), batch_size=1).texts[0].split()
    assert written[:4] == expected.split()
    assert written[4:] != ["t41"]


@EVERY_FAMILY
def test_the_loss_is_that_of_the_targets_whatever_stands_beside_them(family: str) -> None:
    writer, how = model(family, dtype=torch.float64), form(family)
    rows = how.prompted(TEXTS, TARGETS)
    batch = batches.training(rows, range(4), how)
    with torch.no_grad():
        found = log_likelihoods(writer, batch, how.pair)
        loss = writer(**batch).loss
    tokens = rows.targets.lengths.sum()
    assert loss.item() == pytest.approx(-found.sum().item() / tokens, rel=1e-6)  # its loss is in float32
    for index in range(4):
        prompt, target = rows.prompts[index].tolist(), rows.targets[index].tolist()
        if how.pair:
            told = {"decoder_input_ids": torch.tensor([[start(writer), *target[:-1]]])}
            ids, begin = torch.tensor([prompt]), 0
        else:
            told, ids, begin = {}, torch.tensor([prompt + target]), len(prompt) - 1
        with torch.no_grad():
            logits = writer(input_ids=ids, **told).logits[0, begin:].log_softmax(-1)
        alone = sum(logits[place, token].item() for place, token in enumerate(target))
        assert found[index].item() == pytest.approx(alone, rel=1e-9)
    assert nats_per_token(writer, rows, how, 3) == pytest.approx(loss.item(), rel=1e-6)


@EVERY_FAMILY
def test_label_words_are_scored_as_targets(family: str) -> None:
    writer, how = model(family, dtype=torch.float64), form(family, words=("t70", "t71 t72", "t73"))
    scores = word_scores(writer, how.prompted(TEXTS), how.words(), how, batch_size=3)
    assert scores.shape == (4, 3)
    for word, text in enumerate(how.template.words):
        rows = how.prompted(TEXTS, [text] * 4)
        with torch.no_grad():
            expected = log_likelihoods(writer, batches.training(rows, range(4), how), how.pair)
        assert np.allclose(scores[:, word], expected.numpy(), rtol=1e-9)
    assert (scores < 0).all()


def start(writer: object) -> int:
    return writer.config.decoder_start_token_id  # type: ignore[attr-defined]
