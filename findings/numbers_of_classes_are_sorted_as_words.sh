#!/usr/bin/env bash
# Expected: class_encode_column, which makes classes of a column so that a split can be stratified by it, leaves whole
# numbers from 0 on as they are: of twelve classes the one numbered 2 has the number 2 afterwards.
# True: it writes every number as a word, sorts the words and counts these, and 10 and 11 sort before 2: ten of twelve
# classes change their numbers, without a word. Class names in the order of the numbers, or a test split that is encoded
# with ten of the classes, are then about other classes. With ten classes nothing shows. Seen with datasets 5.2.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" datasets==5.2.0
cat >"$folder/classes.py" <<'PYTHON'
import datasets

datasets.disable_progress_bars()
print("datasets", datasets.__version__)
for count in (10, 12):
    rows = datasets.Dataset.from_dict({"text": [f"text {n}" for n in range(count)], "label": list(range(count))})
    found = rows.class_encode_column("label")["label"][:]
    print(f"{count} classes, in their order: {found}; moved: {sum(new != old for old, new in enumerate(found))}")
PYTHON
export PYTHONPATH="$folder/site-packages" HF_DATASETS_CACHE="$folder/cache" HF_HUB_OFFLINE=1
told=$(python3 "$folder/classes.py")
echo "$told"
grep -q "^10 classes.*moved: 0$" <<<"$told"
grep -q "^12 classes, in their order: \[0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3\]; moved: 10$" <<<"$told"
