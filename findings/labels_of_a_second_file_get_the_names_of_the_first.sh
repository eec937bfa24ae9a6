#!/usr/bin/env bash
# Expected: load_dataset("parquet") on files that `datasets` itself has written gives every label by the name that its file has
# for it, or refuses files whose names are in another order: concatenate_datasets does refuse them.
# True: all files of all splits get the names of the first one, and keep their numbers. A test split that was saved with
# ["pos", "neg"] beside a training split with ["neg", "pos"] comes back with every label turned round, without a word, and
# so do two files of one split. Dataset.cast with other names does the same. Seen with datasets 5.2.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import datasets
from datasets import ClassLabel, Dataset, concatenate_datasets, load_dataset

datasets.disable_progress_bars()
print(f"datasets {datasets.__version__}")
rows = Dataset.from_dict({"text": ["good", "bad"], "label": ["pos", "neg"]})
first, second = (rows.cast_column("label", ClassLabel(names=names)) for names in (["neg", "pos"], ["pos", "neg"]))
first.to_parquet("first.parquet")
second.to_parquet("second.parquet")


def told(table: Dataset) -> list[str]:
    return [f"{row['text']} is {table.features['label'].int2str(row['label'])}" for row in table]


splits = load_dataset("parquet", data_files={"train": "first.parquet", "test": "second.parquet"}, cache_dir="cache")
together = load_dataset("parquet", data_files=["first.parquet", "second.parquet"], cache_dir="cache")["train"]
print("saved:", told(first), told(second))
print("as two splits:", told(splits["train"]), told(splits["test"]))
print("as one split:", told(together))
print("cast:", told(first.cast(second.features)))
try:
    concatenate_datasets([first, second])
    refused = False
except ValueError as error:
    refused = True
    print("concatenate_datasets:", str(error)[:60], "...")
right, wrong = ["good is pos", "bad is neg"], ["good is neg", "bad is pos"]
as_seen = (
    told(first) == told(second) == told(splits["train"]) == right
    and told(splits["test"]) == told(first.cast(second.features)) == wrong
    and told(together) == right + wrong
    and refused
)
sys.exit(0 if as_seen else 1)
PYTHON
