#!/usr/bin/env bash
# Expected: torch.autocast to bfloat16 computes on a CPU in the precision that it computes in on a GPU, so that a run on a CPU
# shows what mixed precision does to a score: matrix products in bfloat16, norms, softmax and sums in float32.
# True: each kind of device has a list of its own. For CUDA layer_norm, rms_norm, softmax, log_softmax, exp, pow and sum go to
# float32; for a CPU none of them is on the list, and each computes in what comes in, which behind a linear layer is
# bfloat16. The attention weights of a BERT that computes them one by one have three digits then, and their sums are not 1,
# as the logarithms of probabilities are that a loss of one's own is made of. What torch calls a loss is on both lists, and a
# norm behind a sum with float32 states is in float32 all the same. Seen with torch 2.13.0, transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers
from torch.nn import functional

print(f"torch {torch.__version__}, transformers {transformers.__version__}")
listed = torch._C._dispatch_has_kernel_for_dispatch_key
told = {}
for name in ("linear", "nll_loss", "layer_norm", "rms_norm", "softmax.int", "log_softmax.int", "exp", "pow.Tensor_Scalar", "sum"):
    told[name] = tuple(listed(f"aten::{name}", key) for key in ("AutocastCUDA", "AutocastCPU"))
    print(f"{name:18} is on the list of CUDA: {told[name][0]}, of a CPU: {told[name][1]}")

torch.manual_seed(0)
config = transformers.BertConfig(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
)
config._attn_implementation = "eager"
model = transformers.BertModel(config).eval()
half = torch.bfloat16
with torch.no_grad(), torch.autocast("cpu", dtype=half):
    attentions = model(input_ids=torch.arange(64)[None], output_attentions=True).attentions
    found = {
        "attention weights of a BERT": attentions[0],
        "layer_norm": functional.layer_norm(torch.randn(4, 8, dtype=half), (8,)),
        "softmax": torch.randn(4, 8, dtype=half).softmax(-1),
        "sum": torch.randn(4, 8, dtype=half).sum(),
        "cross_entropy": functional.cross_entropy(torch.randn(4, 8, dtype=half), torch.arange(4)),
    }
for name, value in found.items():
    print(f"on a CPU {name}: {value.dtype}")
furthest = (attentions[0].double().sum(-1) - 1).abs().max().item()
print(f"sums of attention weights are as far from 1 as {furthest:.2g}")
both, one = {"linear", "nll_loss"}, {found[name].dtype for name in found if name != "cross_entropy"}
right = all(told[name] == ((True, True) if name in both else (True, False)) for name in told)
sys.exit(0 if right and one == {half} and found["cross_entropy"].dtype == torch.float32 and furthest > 1e-4 else 1)
PYTHON
