#!/usr/bin/env bash
# Expected: load_dataset("csv", data_files=FILE) gives the rows that FILE has, from its cache if it has seen them before.
# True: the cache knows a local file by its path and its time of modification alone. Another file in its place with the
# same time (unpacked from an archive that sets all times alike, copied with cp -p or rsync -t, built reproducibly) gives
# the rows of the first, though its size is another too. With a time of its own it gives its own.
# Seen with datasets 5.2.0, pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" datasets==5.2.0 pandas==3.1.1
cat >"$folder/rows.py" <<'PYTHON'
import sys

import datasets

datasets.disable_progress_bars()
print("datasets", datasets.__version__, datasets.load_dataset("csv", data_files=sys.argv[1], split="train")["label"][:])
PYTHON
export PYTHONPATH="$folder/site-packages" HF_DATASETS_CACHE="$folder/cache" HF_HUB_OFFLINE=1
written() {
    printf '%s\n' "$@" >"$folder/data.csv"
    touch -d "$when" "$folder/data.csv"
    python3 "$folder/rows.py" "$folder/data.csv"
}
when=1980-01-01
first=$(written label 1 2 3)
second=$(written label 10 20 30 40)
when=1980-01-02
third=$(written label 10 20 30 40)
printf 'the first file: %s\nanother with its time: %s\nthe same with a time of its own: %s\n' "$first" "$second" "$third"
grep -q "\[1, 2, 3\]" <<<"$first" && grep -q "\[1, 2, 3\]" <<<"$second" && grep -q "\[10, 20, 30, 40\]" <<<"$third"
