#!/usr/bin/env bash
# Expected: a task of Ray with num_cpus=4 computes with four threads, since Ray sets OMP_NUM_THREADS to the CPUs of
# a task before the task begins.
# True: it sets the variable, and torch has read it already. Ray keeps the process of a task for later ones, of other
# num_cpus too, so that torch keeps for good the threads of the first task of its process: a task of four CPUs after one
# of one CPU is as slow as if it had one, and one of one CPU after one of four takes the cores of its neighbours, both
# without a word. torch.set_num_threads in the task sets it right. Seen with ray 2.60.0, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q ray==2.60.0 numpy
env -u OMP_NUM_THREADS RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import ray
import torch


@ray.remote
def task():
    import torch

    return os.getpid(), os.environ["OMP_NUM_THREADS"], torch.get_num_threads()


ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(f"ray {ray.__version__}, torch {torch.__version__}")
seen = []
for cpus in (1, 4):
    process, variable, threads = ray.get(task.options(num_cpus=cpus).remote())
    print(f"num_cpus={cpus}: process {process}, OMP_NUM_THREADS={variable}, torch has {threads}")
    seen.append((process, variable, threads))
(first, _, one), (second, variable, four) = seen
sys.exit(0 if first == second and variable == "4" and one == four == 1 else 1)
PYTHON
