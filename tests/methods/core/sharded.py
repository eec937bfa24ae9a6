"""One of two processes that train a sharded model, for ``test_sharding.py``: ``sharded.py RANK FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

import methods
from tests.methods.cells import apply, perturb
from tests.methods.conftest import inputs, labels, tiny

METHODS = ("lora", "houlsby", "ia3", "bitfit", "prefix")


def trained(name: str, mesh: Any = None) -> methods.Adapted:
    """Two steps, on shards if there is a mesh."""
    model = tiny("bert")
    adapted = apply(model, name)
    perturb(adapted)
    if mesh is not None:
        for layer in model.bert.encoder.layer:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    batch = inputs(model)
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        model(**batch, labels=labels(model, batch)).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return adapted


def check(name: str, mesh: Any, folder: Path) -> dict[str, Any]:
    """What can be seen of a sharded model that trained."""
    adapted = trained(name, mesh)
    live = {id(p) for p in adapted.model.parameters()}
    parameters = adapted.trained().values()
    assert all(isinstance(p, DTensor) and id(p) in live for p in parameters)
    told = {"counts": adapted.parameter_counts(), "bytes": adapted.stored_bytes()}
    assert adapted.save(folder / name) == folder / name
    assert all(isinstance(p, DTensor) and id(p) in live for p in adapted.trained().values())
    for refused in (adapted.remove, adapted.merge, lambda: adapted.export_peft(folder / "peft")):
        with pytest.raises(methods.MethodError, match=r"sharded over processes|cannot be merged"):
            refused()
    if name != "prefix":  # it trains in another form than it is kept in
        other = apply(tiny("bert"), name)
        perturb(other, 0.3)
        new = other.checkpoint()
        with torch.no_grad():
            adapted.model(**inputs(adapted.model))  # leaves the root's parameters gathered
        adapted.switch(new)
        found = adapted.checkpoint().tensors
        assert all(torch.equal(found[key], tensor) for key, tensor in new.tensors.items())
    return told


def main() -> None:
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    told = {name: check(name, mesh, folder) for name in METHODS}
    with pytest.raises(methods.MethodError, match="a subspace of all parameters takes them whole"):
        trained("did", mesh)
    sharded = fully_shard(tiny("bert"), mesh=mesh)
    with pytest.raises(methods.MethodError, match="first, then fully_shard"):
        apply(sharded, "lora")
    if rank == 0:
        (folder / "told.json").write_text(json.dumps(told))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
