"""From words to tokens: which token speaks for a word, and which words are not read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from runners.errors import ModelError
from runners.optimisation import IGNORED
from runners.trials import batches, pieces
from runners.trials.batches import Collator
from runners.trials.tokens import Rows
from runners.vocabulary import SENTENCE
from tasks import tagged

WORDS = ["Unbelievably", "nice", "\u200d", "houses", "in", "Reykjavik"]
TAGS = [0, 0, 1, 2, 0, 3]


def wordpiece() -> PreTrainedTokenizerBase:
    return batches.tokenizer("embedded")


def pairs_of_bytes(front: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer as GPT-2's, of letters and a few words with the space in front of them."""
    vocabulary = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = []
    for word in SENTENCE.rstrip(".").split():
        for first, _ in pairwise(range(1, len(word) + 2)):
            left, right = f"Ġ{word}"[:first], f"Ġ{word}"[first]
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append((left, right))
    made = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=front)
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken("<end>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", pad_token="<end>")


def encoded(words: list[list[str]], tags: list[list[int]], reader: PreTrainedTokenizerBase, limit: int = 64):
    return pieces.encoded(tagged.dataset(zip(words, tags, strict=True)), reader, limit)


def test_the_first_token_of_a_word_has_its_label_and_no_other_has_one() -> None:
    reader = wordpiece()
    split = encoded([WORDS, ["Rome"]], [TAGS, [3]], reader)
    row = split[0]
    told = reader.convert_ids_to_tokens(row["input_ids"])
    assert told[0] == "[CLS]"
    assert told[-1] == "[SEP]"
    begins = [n for n, token in enumerate(told) if not token.startswith(("##", "["))]
    assert [n for n, label in enumerate(row["labels"]) if label != IGNORED] == begins
    assert [row["labels"][n] for n in begins] == [0, 0, 2, 0, 3]
    assert any(token.startswith("##") for token in told)
    tags, read = split.tagged[0]
    assert tags.tolist() == TAGS
    assert read.tolist() == [True, True, False, True, True, True]  # a joiner of letters is nothing to BERT
    assert split.cut.tolist() == [True, False]
    assert split.targets.tolist() == [5, 1]


@pytest.mark.parametrize("limit", range(3, 14))
def test_what_is_cut_keeps_its_label_among_the_references(limit: int) -> None:
    split = encoded([WORDS, ["Rome"]], [TAGS, [3]], wordpiece(), limit)
    assert split.lengths.max() <= limit
    tags, read = split.tagged[0]
    assert tags.tolist() == TAGS
    labels = np.array(split[0]["labels"])
    assert labels[labels != IGNORED].tolist() == tags[read].tolist()
    assert read.sum() == split.targets[0] >= 1
    assert not read[np.argmin(np.r_[read[3:], False]) + 3 :].any()  # the words behind one that is cut are too


def test_words_have_the_tokens_that_they_have_in_a_text() -> None:
    words = SENTENCE.split()
    for reader, front in ((wordpiece(), ""), (pairs_of_bytes(), " "), (pairs_of_bytes(front=True), "")):
        assert pieces.lead(reader) == front
        split = encoded([words], [[0] * len(words)], reader)
        text = reader(SENTENCE, add_special_tokens=False)["input_ids"]
        own = [token for token in split[0]["input_ids"] if token not in reader.all_special_ids]
        assert own[-len(text) + 4 :] == text[4:]
        assert split.targets.tolist() == [len(words)]
    alone = pairs_of_bytes()([["some", "words"]], is_split_into_words=True)["input_ids"][0]
    assert len(alone) > 2  # what is read without the space is spelt


def test_a_batch_is_padded_alike_with_and_without_lists() -> None:
    reader = wordpiece()
    split = encoded([WORDS, ["Rome"], WORDS[:4]], [TAGS, [3], TAGS[:4]], reader)
    kept = split.part([2, 0])
    fast, slow = (
        Collator(reader)(rows) for rows in (Rows(kept, np.array([0, 1])), [kept[row] for row in (0, 1)])
    )
    assert fast.keys() == slow.keys() == {"input_ids", "attention_mask", "token_type_ids", "labels"}
    for name, value in fast.items():
        assert value.tolist() == slow[name].tolist(), name
    padding = fast["attention_mask"] == 0
    assert padding.any()
    assert (fast["labels"][padding] == IGNORED).all()
    assert [kept.tagged[row][0].tolist() for row in (0, 1)] == [TAGS[:4], TAGS]


def test_a_sentence_without_a_token_is_one_of_padding() -> None:
    reader = pairs_of_bytes()
    split = encoded([["some", "words"], ["words"]], [[0, 1], [1]], reader)
    assert split.targets.tolist() == [2, 1]
    bare = encoded([["\u200d"], ["nice"]], [[1], [0]], wordpiece())
    assert bare.targets.tolist() == [0, 1]
    assert bare.lengths[0] == 2


def test_a_tokenizer_in_python_is_refused() -> None:
    class Slow:
        is_fast, name_or_path = False, "here"

    with pytest.raises(
        ModelError, match=r"the tokenizer of 'here' \(Slow\) does not tell which word a token"
    ):
        pieces.check(Slow())  # type: ignore[arg-type]
