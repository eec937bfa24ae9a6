#!/usr/bin/env bash
# Expected: scipy's permutation_test counts a pattern whose statistic equals the one seen but for rounding as a tie; its
# documentation says that there is a tolerance for it.
# True: the tolerance is a share of the statistic that was seen. Where that is 0, as for differences of two methods that cancel,
# the sum in floats is some 1e-18, so is the tolerance nothing, and patterns with the same sum are lost on both sides: the
# two-sided p is 0.75 for differences whose sum is 0, where it is 1. In whole numbers it is 1. Seen with
# scipy 1.17.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import scipy
from scipy.stats import permutation_test

print(f"scipy {scipy.__version__}")


def p(differences: np.ndarray) -> float:
    return float(permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue)


whole = np.array([0, 0, 0, 0, 0, -1, -2, 3.0])
small = whole * 0.06 / np.array([2, 2, 3, 3, 3, 3, 3, 3])
print(f"whole numbers: sum {whole.sum()}, p {p(whole)}")
print(f"the same in hundredths: sum {small.sum():.1e}, p {p(small)}")
sys.exit(0 if p(whole) == 1 and p(small) < 0.8 and abs(small.sum()) < 1e-15 else 1)
PYTHON
