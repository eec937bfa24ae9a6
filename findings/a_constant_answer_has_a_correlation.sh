#!/usr/bin/env bash
# Expected: Matthews' correlation, which CoLA is scored by, is 0 for a constant answer, whatever it is, as in scikit-learn: it
# knows nothing of the labels.
# True: torchmetrics has 0 only where both labels are equally frequent. Else it takes a limit in which the more frequent label
# counts: 0.026 on labels as in CoLA's validation split (721 of 1,043), 0.082 on 69 of 100, 0.58 on three of four, 0.84
# on nine of ten, each with its sign turned for the other constant, and 1 where all labels are that one. A method that learned nothing
# seems to have learned something, the more so the smaller and the more lopsided the split. Seen with torchmetrics 1.9.0
# and scikit-learn 1.9.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q torchmetrics==1.9.0 scikit-learn==1.9.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import sklearn
import torch
import torchmetrics
from sklearn.metrics import matthews_corrcoef
from torchmetrics.classification import MatthewsCorrCoef

print(f"torchmetrics {torchmetrics.__version__}, scikit-learn {sklearn.__version__}")
expected = {(5, 10): 0.0, (721, 1043): 0.0256, (69, 100): 0.0822, (3, 4): 0.5774, (9, 10): 0.8433, (4, 4): 1.0}
held = True
for (ones, rows), number in expected.items():
    labels = torch.tensor([1] * ones + [0] * (rows - ones))
    for answer in (1, 0):
        answers = torch.full((rows,), answer)
        found = MatthewsCorrCoef(task="binary")(answers, labels).item()
        other = matthews_corrcoef(labels, answers)
        print(f"{ones} of {rows} labels are 1, every answer is {answer}: torchmetrics {found:.4f}, scikit-learn {other:.4f}")
        held &= other == 0 and abs(found - (number if answer else -number)) < 1e-3
sys.exit(0 if held else 1)
PYTHON
