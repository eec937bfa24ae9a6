#!/usr/bin/env bash
# Expected: an Optuna study that is kept in a file and goes on in a second process, with the same seeded sampler, tries the
# settings that one uninterrupted run would have tried next.
# True: the seed starts the sampler anew, whatever trials the study has: while it still draws at random (TPE's first ten
# trials) the second process tries the settings of the first one again, and a search of six that was stopped after three has
# tried three. Nothing is said. Seen with optuna 5.0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0
cat > "$folder/search.py" <<'PYTHON'
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
name, trials = sys.argv[1], int(sys.argv[2])
study = optuna.create_study(
    study_name=name,
    storage="sqlite:///search.db",
    sampler=optuna.samplers.TPESampler(seed=0),
    load_if_exists=True,
)
study.optimize(lambda trial: trial.suggest_float("rate", 1e-4, 1e-2, log=True), n_trials=trials)
rates = [trial.params["rate"] for trial in study.trials]
print(name, " ".join(f"{rate:.6f}" for rate in rates))
if name == "stopped" and len(rates) == 6:
    sys.exit(0 if rates[3:] == rates[:3] else 1)
PYTHON
cd "$folder"
venv/bin/python -c "import optuna; print('optuna', optuna.__version__)"
venv/bin/python search.py whole 6
venv/bin/python search.py stopped 3
venv/bin/python search.py stopped 3
