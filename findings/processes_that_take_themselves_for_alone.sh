#!/usr/bin/env bash
# Expected: processes that torchrun starts with ACCELERATE_USE_CPU=true work together, whatever of accelerate they ask
# first, or fail.
# True: only Accelerator() reads the variable. Where PartialState() comes first, such as to ask which process may print
# or download, every process is the main one of one process, the Accelerator made after it as well: each trains on all
# the data, all of them print and write the same files, and nothing is said. Seen with accelerate 1.15.0.
# PartialState(cpu=True), or an Accelerator() first, makes them find each other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q accelerate==1.15.0
cat >"$folder/ask.py" <<'PYTHON'
import sys

from accelerate import Accelerator, PartialState

if sys.argv[2] == "state":
    PartialState()
made = Accelerator()
with open(f"{sys.argv[1]}/{sys.argv[2]}", "a") as found:
    found.write(f"process {made.process_index} of {made.num_processes}, main: {made.is_main_process}\n")
PYTHON
for first in state accelerator; do
    ACCELERATE_USE_CPU=true OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore -m torch.distributed.run \
        --nproc_per_node 2 --standalone "$folder/ask.py" "$folder" "$first" 2>"$folder/errors" ||
        { cat "$folder/errors"; exit 2; }
done
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

print(f"accelerate {version('accelerate')}, torch {version('torch')}")
alone = "process 0 of 1, main: True"
found = {name: sorted(Path(sys.argv[1], name).read_text().splitlines()) for name in ("accelerator", "state")}
for name, lines in found.items():
    print(f"{name} first: {'; '.join(lines)}")
together = [f"process {rank} of 2, main: {rank == 0}" for rank in range(2)]
sys.exit(0 if found == {"accelerator": together, "state": [alone, alone]} else 1)
PYTHON
