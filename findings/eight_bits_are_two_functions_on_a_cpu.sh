#!/usr/bin/env bash
# Expected: a linear layer without dropout computes the same in training and in evaluation mode.
# True: on a CPU bitsandbytes' Linear8bitLt does not. In evaluation mode it rounds its input to 8 bits too, as LLM.int8
# says; in training mode it multiplies the input as it is by the unpacked weight, whether a gradient is recorded or not.
# So a loss on the same batch jumps between model.train() and model.eval() though nothing random is in the model, and a
# reference model's logits depend on the mode it was left in. Seen with bitsandbytes 0.50.2; older versions were not tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q bitsandbytes==0.50.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import bitsandbytes
import torch
from bitsandbytes.nn import Linear8bitLt

torch.manual_seed(0)
plain = torch.nn.Linear(256, 128)
layer = Linear8bitLt(256, 128, has_fp16_weights=False)
layer.load_state_dict(plain.state_dict())
layer = layer.to("cpu")
x = torch.randn(8, 256)
with torch.no_grad():
    exact = plain(x)
    trained = layer.train()(x)
    evaluated = layer.eval()(x)
    again = layer.train()(x)
print(f"bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}")
print(f"largest error in training mode:   {(trained - exact).abs().max():.5f}")
print(f"largest error in evaluation mode: {(evaluated - exact).abs().max():.5f}")
print(f"largest difference of the two:    {(trained - evaluated).abs().max():.5f}")
sys.exit(0 if torch.equal(trained, again) and not torch.allclose(trained, evaluated, atol=1e-3) else 1)
PYTHON
