#!/usr/bin/env bash
# Expected: a sentence that is given as words (is_split_into_words=True) has the tokens that it has as a text, or the
# tokenizer says that it cannot do that: the fast ones of GPT-2 and RoBERTa asserted add_prefix_space=True in transformers 4.
# True: in transformers 5 nothing is said. Without add_prefix_space=True, which no checkpoint of the two has, every word is
# read as if it stood in the middle of another: the space that belongs to its first token is missing, and the tokens are
# others than those that the model was pretrained on. A model of names trained so is another one than on the text.
# Seen with transformers 5.23.0, tokenizers 0.23.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" transformers==5.23.0 tokenizers==0.23.3
cat >"$folder/words.py" <<'PYTHON'
import tokenizers
import transformers
from transformers import GPT2Tokenizer, RobertaTokenizer

pairs = [("l", "o"), ("lo", "w"), ("Ġ", "low")]
vocab = ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "<|endoftext|>", "Ġ", "l", "o", "w", "lo", "low", "Ġlow"]
vocab = {token: number for number, token in enumerate(vocab)}
print("transformers", transformers.__version__, "tokenizers", tokenizers.__version__)
for kind in (GPT2Tokenizer, RobertaTokenizer):
    for space in ({}, {"add_prefix_space": True}):
        made = kind(vocab=dict(vocab), merges=list(pairs), **space)
        text = made.tokenize("low low")
        words = made.convert_ids_to_tokens(
            made(["low", "low"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
        )
        print(kind.__name__, "with the space" if space else "as it is", "text", text, "words", words)
PYTHON
told=$(PYTHONPATH="$folder/site-packages" HF_HUB_OFFLINE=1 python3 "$folder/words.py" 2>/dev/null)
echo "$told"
for kind in GPT2Tokenizer RobertaTokenizer; do
    grep -qF "$kind as it is text ['low', 'Ġlow'] words ['low', 'low']" <<<"$told"
    grep -qF "$kind with the space text ['Ġlow', 'Ġlow'] words ['Ġlow', 'Ġlow']" <<<"$told"
done
