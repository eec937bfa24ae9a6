#!/usr/bin/env bash
# Expected: evaluating a 4-bit model changes nothing in it: it trains on afterwards, and what is saved is what was loaded.
# True: on a CPU with bfloat16 products (the flag avx512_bf16) bitsandbytes' Linear4bit repacks its weight in the first
# pass in evaluation mode without a gradient. Back in training mode it keeps the repacked weight: with a bias the pass
# raises, without one the gradient of its input goes through a kernel that has none and is lost. And its state dict,
# which turns the packing back, is another: the scales of the blocks come out rounded to bfloat16 and, without double
# quantisation (the default), in another order, so that a model saved after an evaluation has other weights.
# Seen with bitsandbytes 0.50.2; older versions were not tried. A CPU without that flag does not repack.
set -euo pipefail
if ! grep -qm1 avx512_bf16 /proc/cpuinfo; then
  echo "this CPU has no avx512_bf16, and nothing is repacked here"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q bitsandbytes==0.50.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import bitsandbytes
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit

warnings.simplefilter("ignore")
torch.manual_seed(0)
plain = torch.nn.Linear(256, 128, bias=False)
layer = Linear4bit(256, 128, bias=False, quant_type="nf4", compress_statistics=False)
layer.load_state_dict(plain.state_dict())
layer = layer.to("cpu")
x = torch.randn(5, 256)


def gradient():
    """Of the input, after a pass in training mode; None where none comes."""
    layer.train()
    one = x.clone().requires_grad_()
    y = layer(one)
    if not y.requires_grad:
        return None
    try:
        y.square().sum().backward()
    except RuntimeError as error:
        print("  backward raises:", str(error).split(".")[0])
        return None
    return one.grad


def weight():
    return dequantize_4bit(layer.weight.data, layer.weight.quant_state).clone()


print(f"bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}")
before, values = gradient(), weight()
layer.eval()
with torch.no_grad():
    layer(x)
after = gradient()
trains_on = after is not None and torch.equal(after, before)
print("gradient of the input before the evaluation:", f"{before.abs().mean():.4f} on average")
print("and after it:", "none" if after is None else f"{after.abs().mean():.4f} on average")
layer.state_dict()
moved = (weight() - values).abs().max().item()
print(f"largest change of a weight once a state dict was asked for: {moved:.4f}, of {values.abs().max():.4f}")
sys.exit(0 if not trains_on and moved > 0.001 else 1)
PYTHON
