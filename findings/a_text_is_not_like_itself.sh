#!/usr/bin/env bash
# Expected: ROUGE of a text with itself is 1, whatever language it is in; two texts that share no word have 0.
# True: rouge-score takes for words what a to z and 0 to 9 spell, and for spaces all else. A text in Russian, Greek, Hindi or
# Chinese has no word, and 0 with itself; one in German has pieces of words, so that two sentences without a common word get
# points for the pieces around their vowels. Nothing is said; the class takes a tokenizer of one's own. sacrebleu's chrF has 100
# for all of them. Seen with rouge-score 0.1.2 and sacrebleu 2.6.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q rouge-score==0.1.2 sacrebleu==2.6.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

print(f"rouge-score {version('rouge-score')}, sacrebleu {version('sacrebleu')}")
scorer = RougeScorer(["rougeL"])
held = True
for language, text, expected in (
    ("English", "the cat sits on the mat", 1.0),
    ("Russian", "кошка сидит на ковре", 0.0),
    ("Greek", "η γάτα κάθεται στο χαλί", 0.0),
    ("Hindi", "बिल्ली चटाई पर बैठी है", 0.0),
):
    found, other = scorer.score(text, text)["rougeL"].fmeasure, sacrebleu.sentence_chrf(text, [text]).score
    print(f"{language}, a text with itself: ROUGE-L {found:.2f}, chrF {other:.0f}")
    held &= found == expected and abs(other - 100) < 1e-6
one, two = "für grüne Hügel", "fährt größere Hüte"
pieces = scorer.score(one, two)["rougeL"].fmeasure
print(f"{one!r} and {two!r}, which share no word: ROUGE-L {pieces:.2f}")
sys.exit(0 if held and pieces > 0.3 else 1)
PYTHON
