#!/usr/bin/env bash
# Expected: a task of Ray imports what its driver imports. A command has its own folder on sys.path and not the working one,
# so that a file that lies where it is typed hides no installed package of the same name.
# True: Ray puts the driver's working folder in front of sys.path in its workers, whatever the driver's own path is. The
# driver computes with the installed package, its tasks with the file, or fail. Seen with ray 2.60.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ray==2.60.0
mkdir "$folder/bin" "$folder/here"
installed=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo 'ORIGIN = "the installed package"' >"$installed/scoring.py"
echo 'ORIGIN = "a file of the working folder"' >"$folder/here/scoring.py"
cat >"$folder/bin/command" <<'PYTHON'
import ray
import scoring


@ray.remote
def task():
    import scoring

    return scoring.ORIGIN


ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print("ray", ray.__version__)
print("the driver imports", scoring.ORIGIN)
print("its task imports", ray.get(task.remote()))
PYTHON
said=$(cd "$folder/here" && RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/bin/command")
echo "$said"
grep -q "^the driver imports the installed package$" <<<"$said"
grep -q "^its task imports a file of the working folder$" <<<"$said"
