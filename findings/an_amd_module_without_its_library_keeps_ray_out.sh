#!/usr/bin/env bash
# Expected: a library that measures energy can be installed beside ray, and on a machine without AMD cards neither notices:
# what is not there is not used.
# True: zeus requires amdsmi, whose wheel installs everywhere and holds no library of AMD's. `import ray` imports amdsmi where it
# is installed and expects an ImportError, but the module ends in a KeyError, so ray cannot be imported at all; without amdsmi, it can.
# Seen with ray 2.60.0, zeus 0.16.0 and amdsmi 7.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" "ray==2.60.0"
python3 -m pip install -q --target "$folder/amd" --no-deps amdsmi==7.0.2
tell='
import importlib.metadata
try:
    import ray
    print("ray", ray.__version__, "is imported")
except Exception as error:
    print(f"ray", importlib.metadata.version("ray"), f"is not imported: {type(error).__name__}: {error}")
'
alone=$(PYTHONPATH="$folder/site-packages" python3 -c "$tell")
beside=$(PYTHONPATH="$folder/site-packages:$folder/amd" python3 -c "$tell" 2>/dev/null)
echo "without amdsmi: $alone"
echo "with amdsmi 7.0.2: $beside"
[[ $alone == *"is imported"* && $beside == *"is not imported: KeyError"* ]] || { echo "this has changed"; exit 1; }
