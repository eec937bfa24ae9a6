"""How the processes were started: nothing in the environment of a launcher may change a trial."""

from __future__ import annotations

import os


class LaunchError(ValueError):
    """The processes were started to do what the study does not say; the message is one sentence."""


_WHOLE = "every process holds the whole model"
_LAUNCHED = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "a study says what a step is of"),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "trials run as they are written, uncompiled"),
    "ACCELERATE_USE_DEEPSPEED": ("false", _WHOLE),
    "ACCELERATE_USE_FSDP": ("false", _WHOLE),
    "ACCELERATE_USE_MEGATRON_LM": ("false", _WHOLE),
    "ACCELERATE_USE_PARALLELISM_CONFIG": ("false", _WHOLE),
}
"""What accelerate reads from its environment that would change a trial: the value that does not, and why."""

_OFF = ("", "0", "f", "false", "n", "no", "off", "none")


def check(devices: int, mixed_precision: str = "no") -> None:
    """Refuse an environment that contradicts what a study says, before it could change a trial.

    Args:
        devices: accelerators of this machine.
        mixed_precision: of the trial, as accelerate calls it.

    Raises:
        LaunchError: there is such a variable, or more processes than devices; one sentence.
    """
    for name, (expected, why) in _LAUNCHED.items():
        value = os.environ.get(name, expected).strip().lower()
        if value != expected and not (value in _OFF and expected in _OFF):
            raise LaunchError(
                f"{name} is {os.environ[name]}, expected {expected} or that it is not set: {why}."
            )
    precision = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if precision.lower() not in ("no", mixed_precision):  # "no" is what a launcher sets for who asks nothing
        raise LaunchError(
            f"ACCELERATE_MIXED_PRECISION is {precision}, expected {mixed_precision} or that it is not set: "
            "a study says in which precision it trains."
        )
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "false").lower() not in _OFF
    if not on_cpu and 0 < devices < here:
        raise LaunchError(
            f"{here} processes were started on a machine with {devices} devices, expected fewer."
        )
