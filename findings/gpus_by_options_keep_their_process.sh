#!/usr/bin/env bash
# Expected: a Ray task with GPUs runs in a process that ends with it (max_calls is 1 by default where num_gpus is
# above 0), so that the memory of the GPU is free for the next task, whichever way num_gpus is given.
# True: that default is taken from the decorator alone. With f.options(num_gpus=...), the usual way to let a user
# choose, processes stay, and with them the CUDA context and what torch's allocator holds, which no task of another
# process can have; and options() refuses max_calls. No GPU is needed to see it. Seen with ray 2.60.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ray==2.60.0
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import ray


def process():
    return os.getpid()


ray.init("local", num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(f"ray {ray.__version__}")
decorated = ray.remote(num_gpus=0.5)(process)
chosen = ray.remote(process).options(num_gpus=0.5)
counts = {}
for name, task in (("by the decorator", decorated), ("by options()", chosen)):
    counts[name] = len({ray.get(task.remote()) for _ in range(3)})
    print(f"num_gpus=0.5 {name}: three tasks in {counts[name]} processes")
try:
    ray.remote(process).options(num_gpus=0.5, max_calls=1)
    refused = False
except ValueError as error:
    refused = True
    print(f"options(max_calls=1): {error}")
sys.exit(0 if counts == {"by the decorator": 3, "by options()": 1} and refused else 1)
PYTHON
