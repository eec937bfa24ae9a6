#!/usr/bin/env bash
# Expected: with split_batches every process gets its half of every batch of a sampler, 40 of 40, or an error.
# True: a batch that is shorter than the sampler's batch_size is taken for the last of the epoch. A sampler that gives
# shorter ones all along (few rows and many epochs, or batches made by length) is left after the first: both processes
# train on one batch of 40, while a single process gets all 40. Nothing is said. Seen with accelerate 1.15.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q accelerate==1.15.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader, Sampler


class Epochs(Sampler):
    """Forty times all rows, which are fewer than a batch."""

    batch_size, drop_last = 32, False

    def __len__(self):
        return 40

    def __iter__(self):
        return (list(range(16)) for _ in range(40))


print(f"accelerate {version('accelerate')}, torch {torch.__version__}")
found = {}
for processes in (1, 2):
    for index in range(processes):
        loader = DataLoader(torch.arange(16), batch_sampler=Epochs())
        own = prepare_data_loader(loader, num_processes=processes, process_index=index, split_batches=True)
        sizes = [len(batch) for batch in own]
        found[processes, index] = len(sizes)
        print(f"process {index} of {processes}: {len(sizes)} of 40 batches, of {sorted(set(sizes))} rows")
sys.exit(0 if found == {(1, 0): 40, (2, 0): 1, (2, 1): 1} else 1)
PYTHON
