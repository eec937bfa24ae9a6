#!/usr/bin/env bash
# Expected: accelerator.unwrap_model() undoes what prepare() did for mixed precision: the model whose weights are float32
# computes in float32 again when it is scored, timed or given on.
# True: by default the forward pass that prepare() put there stays (keep_fp32_wrapper is True): the unwrapped model goes on
# under autocast and its results are those of bfloat16, though their dtype is float32. keep_fp32_wrapper=False gives
# the model back, and takes the wrapper off the prepared one as well, since both are one object. Seen with accelerate 1.15.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q accelerate==1.15.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import accelerate
import torch

print(f"accelerate {accelerate.__version__}, torch {torch.__version__}")
torch.manual_seed(0)
model, rows = torch.nn.Linear(64, 64), torch.randn(8, 64)
with torch.no_grad():
    before = model(rows)
    accelerator = accelerate.Accelerator(mixed_precision="bf16", cpu=True)
    prepared = accelerator.prepare(model)
    kept = accelerator.unwrap_model(prepared)
    first = kept.eval()(rows)
    given = accelerator.unwrap_model(prepared, keep_fp32_wrapper=False)
    second, of_prepared = given(rows), prepared(rows)
off = (first - before).abs().max().item()
print(f"unwrapped: {first.dtype}, weights {kept.weight.dtype}, off by up to {off:.1e}")
print(f"with keep_fp32_wrapper=False: the same bits {torch.equal(second, before)}, one object {given is prepared}")
as_seen = first.dtype == torch.float32 and off > 1e-4 and torch.equal(second, before)
as_seen = as_seen and given is prepared and torch.equal(of_prepared, before)
sys.exit(0 if as_seen else 1)
PYTHON
