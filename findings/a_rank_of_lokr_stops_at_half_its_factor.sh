#!/usr/bin/env bash
# Expected: peft's LoKr (Kronecker products, arXiv 2309.14859) trains more the higher its rank, as LoRA and LoHa do, or says
# where a rank is too high.
# True: a layer of 768 x 768 is written as a product of 24 x 24 and 32 x 32, and from half of 32 on the second factor is kept
# whole and the rank is not used: 16, 32 and 64 are one method with 1,600 numbers in all, without a warning. The first
# factor is whole at every rank. Who searches ranks of 16 and more compares a setting with itself. Seen with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import peft
import torch

print(f"peft {peft.__version__}, torch {torch.__version__}")


def trained(config: type, rank: int) -> tuple[int, int]:
    """How many numbers train on a layer of 768, and how many warnings peft gives."""
    model = torch.nn.Sequential(torch.nn.Linear(768, 768))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = peft.get_peft_model(model, config(r=rank, target_modules=["0"]))
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return count, sum("peft" in one.filename for one in caught)


RANKS = (4, 8, 15, 16, 32, 64)
found = {config.__name__: [trained(config, rank) for rank in RANKS] for config in (peft.LoKrConfig, peft.LoHaConfig)}
for name, counts in found.items():
    told = ", ".join(f"{count:,} at rank {rank}" for rank, (count, _) in zip(RANKS, counts))
    print(f"{name}: {told}; {sum(warned for _, warned in counts)} warnings")
lokr, loha = ([count for count, _ in counts] for counts in found.values())
as_seen = lokr[0] < lokr[1] < lokr[2] < lokr[3] == lokr[4] == lokr[5] == 24 * 24 + 32 * 32
as_seen = as_seen and loha == [rank * 4 * 768 for rank in RANKS] and not any(w for _, w in found["LoKrConfig"])
sys.exit(0 if as_seen else 1)
PYTHON
