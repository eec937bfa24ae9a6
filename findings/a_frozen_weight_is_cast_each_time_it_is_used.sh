#!/usr/bin/env bash
# Expected: torch.autocast casts a weight to bfloat16 once and keeps it for the whole context, so that a base that is frozen costs no
# more there than one that trains.
# True: only casts of what trains are kept. A frozen weight is cast at every use, and the pass backward holds every copy, since
# the gradient of what goes in needs the weight. Where layers share weights, as all twelve of an ALBERT do, a LoRA on a frozen base
# holds twelve copies of it in bfloat16 and full fine-tuning one, so that the method that is chosen for its memory has the
# larger base; and it is cast twelve times as often. Where every weight is used once in a pass there is no difference. Seen with
# torch 2.13.0, whose documentation says of cache_enabled nothing of this.
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
from torch.utils._python_dispatch import TorchDispatchMode

print(f"torch {torch.__version__}, transformers {transformers.__version__}")
WIDTH, HIDDEN = 32, 160


class Casts(TorchDispatchMode):
    """Counts how often a weight of the feed-forward becomes another dtype."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._to_copy.default and args[0].shape == (HIDDEN, WIDTH):
            self.count += 1
        return function(*args, **(kwargs or {}))


def used(frozen: bool, layers: int) -> tuple[int, int]:
    """Casts of one weight in a pass, and how many copies of it in bfloat16 the pass backward holds."""
    config = transformers.AlbertConfig(
        vocab_size=50,
        embedding_size=16,
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        num_attention_heads=2,
        num_hidden_layers=layers,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    model = transformers.AlbertModel(config)
    model.requires_grad_(not frozen)
    model.embeddings.requires_grad_(True)  # something in front of the layers trains, as with a LoRA or a prompt
    held = set()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dtype is torch.bfloat16 and tuple(tensor.shape) in {(HIDDEN, WIDTH), (WIDTH, HIDDEN)}:
            if tensor.untyped_storage().nbytes() == 2 * HIDDEN * WIDTH:
                held.add((tensor.untyped_storage().data_ptr(), tuple(tensor.shape)))
        return tensor

    ids = torch.randint(5, 50, (1, 5))
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        Casts() as casts,
        torch.autocast("cpu", dtype=torch.bfloat16),
    ):
        out = model(input_ids=ids).last_hidden_state
    first = {storage for storage, shape in held}
    del out
    return casts.count, len(first)


found = {}
for layers in (1, 12):
    for frozen in (False, True):
        found[layers, frozen] = casts, copies = used(frozen, layers)
        name = "frozen" if frozen else "trained"
        print(f"{layers} layers of one weight, {name}: cast {casts} times, both weights of the feed-forward held as {copies} copies")
sys.exit(0 if found[12, False] == (1, 2) and found[12, True] == (12, 24) and found[1, False][0] == found[1, True][0] == 1 else 1)
PYTHON
