#!/usr/bin/env bash
# Expected: datasets.Dataset(TABLE) wraps an Arrow table that is in memory, and takes no memory of its own.
# True: where no fingerprint is given, one is made by pickling the whole table, which takes more memory than the table for a
# while: what reads a large file and stays within its bounds goes past them when the rows are wrapped. With fingerprint=
# (any text of up to 64 letters) nothing is pickled.
# Seen with datasets 5.2.0, pyarrow as it needs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" datasets==5.2.0
cat >"$folder/peak.py" <<'PYTHON'
import resource
import sys

import datasets
import pyarrow as pa

table = pa.table({"text": pa.array(["x" * 1000] * 200_000, pa.large_string())})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
datasets.Dataset(table, fingerprint=sys.argv[1] or None)
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(f"{grown / table.nbytes:.2f}")
PYTHON
export PYTHONPATH="$folder/site-packages" HF_HUB_OFFLINE=1 HF_DATASETS_CACHE="$folder/cache"
without=$(python3 "$folder/peak.py" "")
with=$(python3 "$folder/peak.py" named)
printf 'datasets 5.2.0: of the bytes of the table, taken to wrap it: %s without a fingerprint, %s with one\n' "$without" "$with"
python3 -c "raise SystemExit(not ($without > 0.8 and $with < 0.2))"
