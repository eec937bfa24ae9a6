"""Make tests/golden/written.json: what the official programs say of texts that are written.

    pip install --no-deps pycocoevalcap==1.2     # and Java; numpy is there
    git clone https://github.com/tuetschek/e2e-metrics
    python tests/golden/make_written.py e2e-metrics [a folder with E2E's test-*.parquet]

The words, METEOR, ROUGE-L and CIDEr are pycocoevalcap's, BLEU and NIST those of e2e-metrics' pymteval.py. The
texts are made here, from a seed; of E2E itself the file holds numbers alone.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PUNCTUATION = {"''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--"}
PUNCTUATION |= {"...", ";"}  # as pycocoevalcap/tokenizer/ptbtokenizer.py has them
TEXTS = r"""
He said, "It's £20-25 - can't you pay?"
The price range is less than £20, (adults only) [closed] {never}.
It's Wildwood's 5-star pub; don't go! You're welcome & we'll be there at 7:30 p.m. on Mon. 3rd.
A kid-friendly coffee shop... near Café Rouge, isn't it?
I'm gonna eat, wanna come? Gimme that, cannot wait. 'tis so; 'cause 'em y'all ma'am O'Neill l'eau
U.S. $3.50/day -- 50% off; e.g. burgers, etc. Mr. Smith's, Dr. Who and St. Paul's vs. Acme Inc.
children under 12's; 1 out of 5, 3,000 and 1.5, .5 or -25, 2+2=4, #1 @home
family - friendly , it 's rated 5 out of 5 . It does n't serve food ..
riverside.It is food.The one.two centre.Near; 5.Near center., a dog.) food!price a/b/c
mid-1990s 1990's '90s 3rd's 5am 20gbp 5of5 5out A1 1A 7am-10pm 5-out-of-5 12-year-old hors-d'oeuvre
J. K. Rowling. Plan B. A. No. 5 no. U.S.-based Ph.D. R&B AT&T b&b * ** _ ok_word word_
foo@bar.com http://a.b/c www.x.com x.com <br /> hello.. hello.... What?! No way!! “quoted” ‘one’ `two`
"""
PARTS = {
    "name": ["Alimentum", "Blue Spice", "The Rice Boat", "Café Rouge", "Wildwood", "Fitzbillies"],
    "kind": ["coffee shop", "pub", "restaurant", "family-friendly place", "bar"],
    "where": [
        "in the city centre",
        "by the riverside",
        "near the Crowne Plaza Hotel",
        "close to Café Sicilia",
    ],
    "what": [
        "serves Chinese food",
        "has cheap food",
        "isn't for children",
        "is rated 5 out of 5",
        "costs £20-25",
    ],
}
FORMS = [
    "{name} is a {kind} {where}. It {what}.",
    "{where}, there is a {kind} called {name}, it {what} .",
    "The {kind} {name} {what} and is {where}",
    "A {kind} that {what}? Try {name} - {where}!",
]


def made() -> tuple[list[str], list[list[str]]]:
    """Texts about restaurants, each with one to five references."""
    draw = random.Random(23)
    predictions, references = [], []
    for _ in range(40):
        filled = {key: draw.choice(values) for key, values in PARTS.items()}
        several = [draw.choice(FORMS).format(**filled) for _ in range(draw.randint(1, 5))]
        written = draw.choice(FORMS).format(**filled | {"what": draw.choice(PARTS["what"])})
        if draw.random() < 0.3:  # it stutters or stops
            words = written.split()
            written = " ".join(words[: draw.randint(6, len(words))] + words[2:5] * draw.randint(0, 2))
        predictions.append(written)
        references.append(several)
    return predictions, references


def held_out(folder: Path) -> tuple[list[str], list[list[str]]]:
    """The first reference of 200 inputs of E2E's test set, scored against their others."""
    import pyarrow.parquet as pq

    several = defaultdict(list)
    for file in sorted(folder.glob("test-*.parquet")):
        for row in pq.read_table(file).to_pylist():
            several[row["meaning_representation"]].append(row["human_reference"])
    kept = [texts for texts in several.values() if len(texts) > 1][:200]
    return [texts[0] for texts in kept], [texts[1:] for texts in kept]


def words(texts: list[str], root: Path) -> list[str]:
    """The tokens of the Java program, less the punctuation."""
    command = ["java", "-cp", str(root / "tokenizer" / "stanford-corenlp-3.4.1.jar")]
    command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    ran = subprocess.run(
        command, input="\n".join(texts) + "\n", capture_output=True, encoding="utf-8", check=True
    )
    lines = ran.stdout.removesuffix("\n").split("\n")
    assert len(lines) == len(texts)
    return [" ".join(token for token in line.split(" ") if token not in PUNCTUATION) for line in lines]


def scores(predictions: list[str], references: list[list[str]], root: Path) -> dict[str, Any]:
    """Every official number."""
    from metrics.pymteval import BLEUScore, NISTScore
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge

    bleu, nist = BLEUScore(), NISTScore()
    for prediction, several in zip(predictions, references, strict=True):
        bleu.append(prediction, several)
        nist.append(prediction, several)
    written = {index: [text] for index, text in enumerate(words(predictions, root))}
    flat = iter(words([text for several in references for text in several], root))
    wanted = {index: [next(flat) for _ in several] for index, several in enumerate(references)}
    found = {"bleu": bleu.score(), "nist": nist.score()}
    for name, scorer in (("meteor", Meteor()), ("rouge_l", Rouge()), ("cider", Cider())):
        found[name] = float(scorer.compute_score(wanted, written)[0])
    return found


def main() -> None:
    """Write the file."""
    sys.path.insert(0, sys.argv[1])
    import pycocoevalcap.meteor.meteor as package

    root = Path(str(package.__file__)).parents[1]
    predictions, references = made()
    texts = TEXTS.strip().split("\n")
    values = {
        "texts": [
            {"text": text, "words": found} for text, found in zip(texts, words(texts, root), strict=True)
        ],
        "predictions": predictions,
        "references": references,
        "scores": scores(predictions, references, root),
    }
    if len(sys.argv) > 2:
        values["e2e_first_reference"] = scores(*held_out(Path(sys.argv[2])), root)
    (HERE / "written.json").write_text(
        json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
