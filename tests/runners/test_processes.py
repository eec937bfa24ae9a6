"""What a process alone can show of several; the rest is in `work/test_distributed.py`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from runners import processes


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 64])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shares_make_up_the_whole(rows: int, count: int) -> None:
    values = np.arange(rows, dtype=np.int32)
    shares = [values[index::count] for index in range(count)]
    assert processes.whole(shares).tolist() == values.tolist()
    assert processes.whole(shares).dtype == values.dtype
    assert max(map(len, shares)) == len(shares[0])


def test_a_process_alone_gets_what_it_gave() -> None:
    assert processes.count() == 1
    assert processes.index() == 0
    assert processes.own_seed(7) == 7
    assert processes.share([1, 2, 3]) == [1, 2, 3]
    assert processes.largest_share(5) == 5
    unsent = lambda: None  # noqa: E731 - what cannot be pickled need not be, for one process
    assert processes.gathered(unsent) == [unsent]
    assert processes.by_first(lambda: unsent) is unsent
    with processes.together():
        processes.check_same("data", object())


def test_a_process_alone_keeps_its_gradients_and_its_errors() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = before = torch.tensor([1.0, 2.0])
    loss = torch.tensor(3.0)
    assert processes.averaged([parameter, nn.Parameter(torch.ones(1))], loss, 4) is loss
    assert parameter.grad is before
    with pytest.raises(KeyError, match="own"), processes.together():
        raise KeyError("own")


def test_no_two_processes_and_seeds_draw_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []
    for rank in range(4):
        monkeypatch.setattr(processes, "index", lambda rank=rank: rank)
        seeds += [processes.own_seed(seed) for seed in (0, 1, 2, 2**70)]
    assert len(set(seeds)) == 16
    assert min(seeds) >= 0
