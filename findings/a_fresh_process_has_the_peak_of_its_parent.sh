#!/usr/bin/env bash
# Expected: to measure what each method takes on a CPU, one starts a process for each and lets it tell its own peak at the end, the
# ru_maxrss of getrusage: a new program begins with nothing.
# True: on Linux the peak of what the process was before it became that program is kept, and a child that subprocess starts was
# its parent until then. It has the parent's peak from its first line on, so that behind a driver that has loaded a model, or
# held one once, all small methods take the same, as much as the driver did. VmHWM in /proc/self/status begins anew with the
# program, and agrees with what is resident. Seen with Linux 6 and Python 3.11; the rule is the kernel's and is older.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q psutil==7.2.2
"$folder/venv/bin/python" - <<'PYTHON'
import json
import platform
import subprocess
import sys

child = """
import json, psutil, resource
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([used / 1024, int(peak.split()[1]) / 1024, psutil.Process().memory_info().rss / 2**20]))
"""


def started() -> list[float]:
    """What a new process tells of its own peak, and what is resident at its end, in MiB."""
    made = subprocess.run([sys.executable, "-c", child], check=True, capture_output=True, text=True)
    return json.loads(made.stdout)


print(f"Linux {platform.release()}, Python {platform.python_version()}")
before = started()
held = bytearray(600 * 2**20)
during = started()
del held
after = started()
for name, (used, peak, resident) in (
    ("the parent is small", before),
    ("the parent has 600 MiB", during),
    ("it has given them back", after),
):
    print(f"{name}: a fresh process has ru_maxrss {used:.0f} MiB, VmHWM {peak:.0f} MiB, resident {resident:.0f} MiB")
small = all(peak < 100 and resident < 100 for _, peak, resident in (before, during, after))
sys.exit(0 if small and before[0] < 100 and during[0] > 600 and after[0] > 600 else 1)
PYTHON
