#!/usr/bin/env bash
# Expected: an Optuna search in one process with a seeded sampler, a pruner without chance in it and an objective without noise
# goes the same way each time.
# True: HyperbandPruner puts every trial into a bracket by a hash of the study's name and the trial's number, and the bracket
# says how early the trial may be stopped. Another name stops other trials at other steps; a study without a name gets a
# random one, so that no two runs of the same seeded search agree, and so does copying a study under a new name. The settings
# that are tried are the same ones only as long as the sampler does not look at what was stopped. Seen with optuna 5.0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import optuna

print(f"optuna {optuna.__version__}")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial: optuna.Trial) -> float:
    """A curve that its setting alone decides, told at 27 steps."""
    rate = trial.suggest_float("rate", 0, 1)
    for step in range(27):
        trial.report(rate * (step + 1), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return rate


def finished(name: str | None) -> list[int]:
    """The trials that were not stopped."""
    study = optuna.create_study(
        study_name=name,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=27, reduction_factor=3),
    )
    study.optimize(objective, n_trials=40)
    return [trial.number for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]


found = [(name, finished(name)) for name in ("lora", "lora", "lora-again", None, None)]
for name, trials in found:
    print(f"{'no name' if name is None else name}: not stopped were {trials}")
(_, one), (_, same), (_, other), (_, unnamed), (_, again) = found
sys.exit(0 if one == same and one != other and unnamed != again else 1)
PYTHON
