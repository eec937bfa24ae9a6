#!/usr/bin/env bash
# Expected: pip install evaluate brings the metrics that the library is for, such as accuracy or the GLUE scores, and they work
# without a network, as those of scikit-learn do.
# True: the wheel holds no metric. Each is a script on the hub, fetched when it is asked for, so that on a machine without a
# network evaluate.load("accuracy") is a FileNotFoundError. What was fetched once is kept. Seen with evaluate 0.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q evaluate==0.4.6
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import evaluate

print(f"evaluate {evaluate.__version__}")
modules = [path for path in Path(evaluate.__file__).parent.rglob("*.py") if path.stem in ("accuracy", "f1", "glue", "bleu")]
print(f"files of metrics in the wheel: {len(modules)}")
failed = 0
for asked in (("accuracy",), ("f1",), ("glue", "sst2")):
    try:
        evaluate.load(*asked)
    except FileNotFoundError as error:
        failed += 1
        print(f"evaluate.load{asked}: FileNotFoundError: {str(error).split('. Module')[0].split(' at ')[0]} ...")
sys.exit(0 if failed == 3 and not modules else 1)
PYTHON
