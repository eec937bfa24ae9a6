"""The cluster on which trials run: how it is reached, which nodes it has, and what each of them is."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from reports.records.schema import Environment
from runners import environment
from runners.cluster import builds, node
from runners.cluster.node import Described
from runners.plan.errors import SpecError

MEMORY_RETRIES: Final = 1
"""How often a trial is done again that Ray ended for want of memory. Ray's own number has no end."""

REACH_S: Final = 10.0
"""For a cluster to answer."""

SAME: Final = ("platform", "device", "device_name")
"""What two nodes have in common on which costs are the same."""


@dataclass(frozen=True)
class Node:
    """A node that is alive."""

    id: str
    address: str
    cpus: float
    gpus: float
    is_of_study: bool
    """Whether the process that runs the study is there."""

    def slots(self, cpus: float, gpus: float) -> int:
        """How many trials it has room for at once."""
        found = self.cpus / cpus
        if gpus >= 1:
            found = min(found, self.gpus / gpus)
        elif gpus > 0:  # a part of a device is of one device
            found = min(found, self.gpus * math.floor(1 / gpus + 1e-9))
        return math.floor(found + 1e-9)


def connect(address: str | None) -> None:
    """Reach a cluster, or start Ray on this machine, silently and without telemetry.

    Raises:
        SpecError: there is no such cluster, or Ray does not start; one sentence.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(MEMORY_RETRIES))
    # A process of Ray has the folder of the study's command in front of what is installed.
    options: dict[str, Any] = {"runtime_env": {"worker_process_setup_hook": "paretune.find_ours"}}
    options |= {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        options |= {"num_cpus": environment.cores(), "include_dashboard": False}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address or "local", **options)
    except (ImportError, OSError, RuntimeError, ValueError, RayError) as error:
        where = f"at {address!r}" if address else "on this machine"
        raise SpecError(
            f"Ray cannot be reached {where} ({' '.join(str(error).split())[:300]}), expected `auto` or the "
            "HOST:PORT of a cluster whose node this machine is, or no --address to start Ray here."
        ) from None
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)  # which `ray.init` replaces
    # What Ray has to say of dead workers it prints to standard output, whatever `log_to_driver` says.
    ray._private.worker._worker_logs_enabled = False


def _knock(address: str | None) -> None:
    """Find out at once whether anybody is there; Ray asks for some seven minutes.

    Raises:
        OSError: nobody is.
    """
    host, found, port = (address or "").removeprefix("ray://").rpartition(":")
    if found and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()


def alive() -> list[Node]:
    """The nodes that are alive."""
    own = ray.get_runtime_context().get_node_id()
    return [
        Node(
            one["NodeID"],
            one["NodeManagerAddress"],
            one["Resources"].get("CPU", 0.0),
            one["Resources"].get("GPU", 0.0),
            one["NodeID"] == own,
        )
        for one in ray.nodes()
        if one["Alive"]
    ]


def check_room(found: Sequence[Node], cpus: float, gpus: float) -> None:
    """Find out whether a trial has room on any node, for else it would wait for ever.

    Raises:
        SpecError: it has not, or there are no such parts of a device; one sentence.
    """
    if cpus <= 0:
        raise SpecError(f"--cpus-per-trial is {cpus:g}, expected a number above 0.")
    if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        raise SpecError(
            f"--gpus-per-trial is {gpus:g}, expected a part of one device, such as 0.5, or a whole number."
        )
    if not any(one.slots(cpus, gpus) for one in found):
        best = max(found, key=lambda one: (one.gpus, one.cpus))
        raise SpecError(
            f"a trial needs {cpus:g} CPUs and {gpus:g} GPUs of one node, and no node has them (the largest "
            f"has {best.cpus:g} and {best.gpus:g}): choose another --cpus-per-trial or --gpus-per-trial."
        )


def described(found: Sequence[Node], threads: int, devices: bool) -> dict[str, Environment]:
    """What every node is, by its id; one that dies meanwhile is left out.

    Raises:
        SpecError: one runs another version than this process, or cannot run Paretune; one sentence.
    """
    ask = ray.remote(num_cpus=0)(node.describe)
    asked = {
        one: ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(one.id, soft=False)).remote(
            threads, devices
        )
        for one in found
        if one.cpus
    }
    answers: dict[str, Environment] = {}
    for one, answer in asked.items():
        try:
            told: Described = ray.get(answer)
        except RayTaskError as error:
            why = " ".join(str(error).strip().splitlines()[-1:])
            raise SpecError(
                f"the node {one.address} cannot run Paretune ({why}): install this machine's version there."
            ) from None
        except RayError:
            continue
        if (other := builds.difference(builds.build(), told.build)) is not None:
            raise SpecError(
                f"the node {one.address} has {other}: install the same version of Paretune, with the same "
                "constraints.txt, on every node."
            )
        answers[one.id] = told.environment
    return answers


def alike(one: Environment | None, other: Environment | None) -> bool:
    """Whether costs that are measured on two nodes can be told as those of one."""
    return bool(one and other) and all(getattr(one, name) == getattr(other, name) for name in SAME)
