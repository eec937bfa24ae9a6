#!/usr/bin/env bash
# Expected: casting a column of texts to ClassLabel(names=["1", "2", "3", "4", "5"]), the stars of reviews, gives each text the
# class of that name, and refuses a text that is the name of none.
# True: a text that is no name and is written as a number is taken for the number of a class: a stray "0" becomes the class
# "1". Only what is no number, or too large a one, is refused ("7" is). Whole numbers are taken for classes by number as
# well, so that a column of 1 to 4 becomes "2" to "5". Seen with datasets 5.2.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import datasets
from datasets import ClassLabel, Dataset

datasets.disable_progress_bars()
print(f"datasets {datasets.__version__}")
stars = ClassLabel(names=["1", "2", "3", "4", "5"])


def cast(values: list) -> list[str] | str:
    try:
        return [stars.int2str(one) for one in Dataset.from_dict({"s": values}).cast_column("s", stars)["s"]]
    except ValueError as error:
        return f"refused: {error}"


found = {str(values): cast(values) for values in (["1", "0", "3"], ["1", "7"], ["five"], [1, 2, 3, 4])}
for values, classes in found.items():
    print(values, "->", classes)
zero, seven, word, numbers = found.values()
as_seen = zero == ["1", "1", "3"] and "refused" in seven and "refused" in word and numbers == ["2", "3", "4", "5"]
sys.exit(0 if as_seen else 1)
PYTHON
