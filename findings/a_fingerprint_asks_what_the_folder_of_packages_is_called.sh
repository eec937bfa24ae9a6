#!/usr/bin/env bash
# Expected: a function has a fingerprint for datasets wherever packages are installed; pip can install them into any
# folder (`pip install --target`), from which they import and work.
# True: the pickler behind the fingerprint takes a module for one of a library only if its path has a folder called
# site-packages. In any other it pickles the library's classes by value, down into NumPy, and ends in a PicklingError, so
# a map that uses one cannot be cached. The same packages in a folder of that name are hashed.
# Seen with datasets 5.2.0, dill 0.4.1, pandas 3.1.1, numpy 2.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/vendor" datasets==5.2.0 dill==0.4.1 pandas==3.1.1 numpy==2.4.6
cat >"$folder/hashed.py" <<'PYTHON'
import datasets
import dill
import pandas
from datasets.fingerprint import Hasher


def year(row):
    return {"year": pandas.Timestamp(row["day"]).year}


print("datasets", datasets.__version__, "dill", dill.__version__)
try:
    print("fingerprint", Hasher.hash((year, pandas.Timestamp)))
except Exception as error:
    print(type(error).__name__)
PYTHON
in_vendor=$(PYTHONPATH="$folder/vendor" python3 "$folder/hashed.py" 2>/dev/null)
mv "$folder/vendor" "$folder/site-packages"
in_site=$(PYTHONPATH="$folder/site-packages" python3 "$folder/hashed.py" 2>/dev/null)
printf 'in a folder called vendor:\n%s\nin a folder called site-packages:\n%s\n' "$in_vendor" "$in_site"
grep -q PicklingError <<<"$in_vendor" && grep -q "^fingerprint" <<<"$in_site"
