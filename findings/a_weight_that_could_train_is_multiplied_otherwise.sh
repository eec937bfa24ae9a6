#!/usr/bin/env bash
# Expected: under no_grad it makes no difference to a product whether its weight is a parameter that takes gradients: the
# numbers are the same, nothing is recorded, and the result is the same bit for bit.
# True: for a batch that is not contiguous (transposed, as attention hands it on) matmul and F.linear look at requires_grad of
# the weight even then. A weight that takes gradients gets one product of a matrix (mm, the batch folded), one that takes none
# gets a product for each row (bmm). Sums come in another order, so a model whose weights were frozen by requires_grad_(False)
# may differ in the last bits from the same model unfrozen, in evaluation as well.
# Seen with torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" torch==2.13.0 numpy==2.4.6
PYTHONPATH="$folder/site-packages" python3 - <<'PYTHON'
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Seen(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.products = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.__name__.partition(".")[0]
        if name in ("mm", "bmm", "addmm", "baddbmm"):
            self.products.append(name)
        return function(*args, **(kwargs or {}))


print("torch", torch.__version__)
torch.manual_seed(0)
x = torch.randn(7, 4, 64, dtype=torch.float64).transpose(0, 1)
values = torch.randn(64, 48, dtype=torch.float64)
found, results = {}, {}
for trains in (True, False):
    weight = torch.nn.Parameter(values, requires_grad=trains)
    with torch.no_grad(), Seen() as seen:
        results[trains] = x @ weight
    found[trains] = seen.products
    print(f"requires_grad={trains}, under no_grad: {', '.join(seen.products)}")
print("largest difference", (results[True] - results[False]).abs().max().item())
if found != {True: ["mm"], False: ["bmm"]}:
    raise SystemExit("this has changed")
PYTHON
