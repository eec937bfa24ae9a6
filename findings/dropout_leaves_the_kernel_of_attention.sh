#!/usr/bin/env bash
# Expected: with dropout, scaled_dot_product_attention on a CPU runs in the kernel that it runs in without: the documentation
# names dropout_p as a parameter of the function, and on a GPU the same kernel takes it.
# True: on a CPU the fused kernel takes no dropout. Any dropout_p above 0 sends the call to the equation, step by step, with
# the whole matrix of weights in memory: what is timed in evaluation mode says nothing of training, and "sdpa" on a CPU
# is not faster in training than "eager".
# Seen with torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" torch==2.13.0
PYTHONPATH="$folder/site-packages" python3 - <<'PYTHON'
import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

warnings.simplefilter("ignore")
print("torch", torch.__version__)
q, k, v = torch.randn(3, 4, 8, 64, 32)
found = {}
for dropout in (0.0, 0.1):
    try:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        found[dropout] = "runs in the fused kernel"
    except RuntimeError as error:
        found[dropout] = f"does not: {str(error).splitlines()[0]}"
    print("dropout", dropout, found[dropout])
raise SystemExit(not (found[0.0].startswith("runs") and found[0.1].startswith("does not")))
PYTHON
