#!/usr/bin/env bash
# Expected: a class called None (no topic, no entailment, no intent) is a label like any other, whichever kind of file it
# stands in, and a label None in the file that is trained on is as much there as in one that is uploaded as Parquet.
# True: load_dataset("csv") reads by pandas' rules, by which the words None, null, NA, nan and n/a are missing values, in
# quotes too: that class's rows have the label None of Python, without a word, and a text that is the one word "null" is
# no text. load_dataset("json") keeps the words and takes texts that look like a day for times, if all of a column do.
# Seen with datasets 5.2.0, pandas 3.1.1, pyarrow 26.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" datasets==5.2.0 pandas==3.1.1 pyarrow==26.0.1
cat >"$folder/rows.py" <<'PYTHON'
import csv
import json
import sys

import datasets

datasets.disable_progress_bars()
rows = [("what a day", "Sport", "2024-05-01"), ("null", "None", "2024-05-02"), ("a third", "NA", "2024-05-03")]
names = ("text", "label", "day")
with open(f"{sys.argv[1]}/rows.csv", "w", newline="") as stream:
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([names, *rows])
with open(f"{sys.argv[1]}/rows.jsonl", "w") as stream:
    stream.writelines(json.dumps(dict(zip(names, row))) + "\n" for row in rows)
print("datasets", datasets.__version__)
for kind in ("csv", "json"):
    file = f"{sys.argv[1]}/rows.{'csv' if kind == 'csv' else 'jsonl'}"
    found = datasets.load_dataset(kind, data_files=file, split="train")
    print(kind, "label", found["label"][:])
    print(kind, "text", found["text"][:])
    print(kind, "day", found.features["day"])
PYTHON
export PYTHONPATH="$folder/site-packages" HF_DATASETS_CACHE="$folder/cache" HF_HUB_OFFLINE=1
told=$(python3 "$folder/rows.py" "$folder")
echo "$told"
grep -q "csv label \['Sport', None, None\]" <<<"$told"
grep -q "csv text \['what a day', None, 'a third'\]" <<<"$told"
grep -q "json label \['Sport', 'None', 'NA'\]" <<<"$told"
grep -q "json day Value('timestamp\[s\]')" <<<"$told"
