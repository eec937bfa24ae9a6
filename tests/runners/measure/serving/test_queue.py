from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.measure.serving.queue import Queue, arrivals

ARRIVALS = st.lists(st.tuples(st.floats(0, 9), st.integers(0, 4)), min_size=1, max_size=40)


@given(
    ARRIVALS, st.sampled_from(["mixed", "in turn", "merged in turn"]), st.integers(1, 6), st.floats(0.1, 3)
)
def test_every_request_is_served_once_in_batches_as_the_way_takes_them(requests, way, largest, step):
    at = sorted(time for time, _ in requests)
    tasks = [task for _, task in requests]
    queue = Queue(at, tasks, way, largest)
    served, now = [], 0.0
    while len(served) < len(at):
        waiting = [one for one in range(len(at)) if at[one] <= now and one not in served]
        batch = queue.take(now)
        assert bool(batch) == bool(waiting)
        if batch:
            assert batch[0] == waiting[0], "the oldest is always among them"
            assert len(batch) <= largest
            if way == "mixed":
                assert batch == waiting[:largest]
            else:
                same = [one for one in waiting if tasks[one] == tasks[waiting[0]]]
                assert batch == same[:largest]
        served += batch
        now += step
    assert sorted(served) == list(range(len(at)))
    assert queue.next_at() is None
    assert queue.take(now + 100) == []


def test_arrivals_are_of_one_a_second_and_the_same_at_every_rate():
    at, tasks = arrivals(20_000, 10, 1.0, seed=3)
    again, same = arrivals(20_000, 10, 1.0, seed=3)
    assert np.array_equal(at, again)
    assert np.array_equal(tasks, same)
    assert at[-1] / len(at) == pytest.approx(1, rel=0.03)
    gaps = np.diff(at)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03), "a Poisson process"
    assert np.mean(tasks == 0) == pytest.approx(1 / sum(1 / k for k in range(1, 11)), rel=0.05)
