#!/usr/bin/env bash
# Expected: torch's own FLOP counter counts a matrix product however it is called: addmm, or addmm_ into what is there.
# True: FlopCounterMode knows a list of operators by name. The in-place forms addmm_ and baddbmm_ are not on it, nor is a
# matrix times a vector, and they are not taken apart into others either: they count as nothing, without a warning. With
# out= they count. The fused attention of a CPU is not on it, as those of a GPU are: the same model counts less there with
# scaled_dot_product_attention than with products of its own.
# Who writes a low-rank update into a slice of a layer's output has to name the operator in custom_mapping, and who counts on
# a CPU takes the attention apart (SDPBackend.MATH). Seen with torch 2.13.0; older versions were not tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

into, one, other = torch.randn(4, 6), torch.randn(4, 5), torch.randn(5, 6)
batch, left, right = torch.randn(2, 4, 6), torch.randn(2, 4, 5), torch.randn(2, 5, 6)
ways = {
    "addmm": lambda: torch.addmm(into, one, other),
    "addmm(out=)": lambda: torch.addmm(into, one, other, out=torch.empty(4, 6)),
    "addmm_": lambda: into.addmm_(one, other),
    "baddbmm": lambda: torch.baddbmm(batch, left, right),
    "baddbmm_": lambda: batch.baddbmm_(left, right),
    "mv": lambda: one @ torch.randn(5),
    "attention": lambda: scaled_dot_product_attention(*torch.randn(3, 2, 4, 16, 8)),
    "products": lambda: apart(*torch.randn(3, 2, 4, 16, 8)),
}


def apart(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    with sdpa_kernel(SDPBackend.MATH):
        return scaled_dot_product_attention(query, key, value)


print(f"torch {torch.__version__}")
found = {}
for name, call in ways.items():
    with FlopCounterMode(display=False) as counter:
        call()
    found[name] = counter.get_total_flops()
    print(f"{name:12} {found[name]} FLOPs counted")
print("expected     240 for addmm, 480 for baddbmm, 40 for mv: a multiplication and an addition are two")
print("             65536 for attention, and for the same of two products")
right_ways = found["addmm"] == found["addmm(out=)"] == 240 and found["baddbmm"] == 480
right_ways = right_ways and found["products"] == 2 * 2 * 2 * 4 * 16 * 16 * 8
missed = found["addmm_"] == found["baddbmm_"] == found["mv"] == found["attention"] == 0
sys.exit(0 if right_ways and missed else 1)
PYTHON
