"""The device helpers, as far as a CPU can show; other devices are stood in for."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState, GradientState

from runners import device, launch


@pytest.fixture(autouse=True)
def _restore_global_settings():
    deterministic = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fill


def test_accelerator_can_be_made_again_with_another_precision():
    for precision in ("no", "bf16", "no"):
        assert device.accelerator(precision).mixed_precision == precision


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "8"),
        ("ACCELERATE_MIXED_PRECISION", "bf16"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR"),
        ("ACCELERATE_USE_FSDP", "true"),
        ("ACCELERATE_USE_DEEPSPEED", "True"),
        ("ACCELERATE_USE_MEGATRON_LM", "1"),
        ("ACCELERATE_USE_PARALLELISM_CONFIG", "yes"),
    ],
)
def test_an_environment_that_would_change_a_trial_is_refused(monkeypatch, name, value):
    """Left alone, each of these reaches accelerate, and none of them the id of a trial."""
    monkeypatch.setenv(name, value)
    with pytest.raises(launch.LaunchError, match=f"^{name} is {value}, expected .*: .*\\.$"):
        device.accelerator()


def test_what_a_launcher_sets_for_who_asks_for_nothing_is_allowed(monkeypatch):
    for name, value in {
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1",
        "ACCELERATE_MIXED_PRECISION": "no",
        "ACCELERATE_DYNAMO_BACKEND": "NO",
        "ACCELERATE_DYNAMO_MODE": "default",
        "ACCELERATE_USE_CPU": "True",
        "ACCELERATE_USE_FSDP": "false",
    }.items():
        monkeypatch.setenv(name, value)
    assert device.accelerator().gradient_accumulation_steps == 1
    assert device.accelerator("bf16").mixed_precision == "bf16"
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert device.accelerator("bf16").mixed_precision == "bf16"


def test_processes_that_do_not_find_each_other_are_refused(monkeypatch):
    device.accelerator()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(launch.LaunchError, match="WORLD_SIZE is 2"):
        device.accelerator()


def test_accelerator_keeps_the_process_group(monkeypatch):
    seen = []

    def reset(reset_partial_state):
        seen.append(reset_partial_state)

    monkeypatch.setattr(AcceleratorState, "_reset_state", reset)
    monkeypatch.setattr(GradientState, "_reset_state", lambda: None)
    device.accelerator()
    assert seen == [False]


def test_synchronize_and_free_do_nothing_on_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda _: pytest.fail("not on a CPU"))
    monkeypatch.setattr(torch.accelerator, "empty_cache", lambda: pytest.fail("not on a CPU"))
    device.synchronize("cpu")
    device.free(torch.device("cpu"))


def test_synchronize_and_free_reach_the_device(monkeypatch):
    seen = []
    monkeypatch.setattr(torch.accelerator, "synchronize", seen.append)
    monkeypatch.setattr(torch.accelerator, "empty_cache", lambda: seen.append("emptied"))
    device.synchronize("cuda:1")
    device.free("cuda:1")
    assert seen == [torch.device("cuda:1"), "emptied"]


def test_device_name_of_a_gpu_is_that_of_its_index(monkeypatch):
    module = SimpleNamespace(get_device_name=lambda which: f"GPU number {which.index}")
    monkeypatch.setattr(torch, "get_device_module", lambda _: module)
    assert device.device_name("cuda:3") == "GPU number 3"


def test_cpu_name_comes_from_cpuinfo(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel\t\t: 1\nmodel name\t: Fast CPU: the second\nprocessor\t: 1\n")
    assert device._cpu_name(cpuinfo) == "Fast CPU: the second"


@pytest.mark.parametrize("content", [None, "Hardware : board\n", "model name :\n"])
def test_cpu_name_without_a_model_is_still_a_name(tmp_path, content):
    cpuinfo = tmp_path / "cpuinfo"
    if content is not None:
        cpuinfo.write_text(content)
    assert device._cpu_name(cpuinfo)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("not enough memory: you tried to allocate 4 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_out_of_memory_is_recognised(error):
    assert device.is_out_of_memory(error)


def test_out_of_memory_of_the_real_cpu_allocator_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert device.is_out_of_memory(caught.value)


def test_out_of_memory_behind_another_error_is_recognised():
    error = ValueError("evaluation failed")
    error.__cause__ = MemoryError()
    assert device.is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shape mismatch"),
        ValueError("out of memory"),
        KeyError("x"),
        OSError(28, "No space left"),
    ],
)
def test_other_errors_are_not_out_of_memory(error):
    assert not device.is_out_of_memory(error)


def _draws():
    return random.random(), float(np.random.random()), float(torch.rand(()))


@pytest.mark.parametrize("seed", [0, 7, 2**32, 2**63 + 11, 2**200 + 5])
def test_the_same_seed_draws_the_same_numbers(seed):
    device.seed_everything(seed)
    first = _draws()
    assert _draws() != first
    device.seed_everything(seed)
    assert _draws() == first


def test_another_seed_draws_other_numbers():
    device.seed_everything(1)
    first = _draws()
    device.seed_everything(2)
    assert all(a != b for a, b in zip(first, _draws(), strict=True))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="negative, got -1"):
        device.seed_everything(-1)


def test_seeding_asks_for_deterministic_kernels_and_no_nan_filling():
    device.seed_everything(0)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory


def test_available_memory(monkeypatch):
    assert 0 < device.available_bytes("cpu") < 2**50
    module = SimpleNamespace(mem_get_info=lambda which: (123 if which == torch.device("cuda:1") else 0, 456))
    monkeypatch.setattr(torch, "get_device_module", lambda which: module)
    assert device.available_bytes("cuda:1") == 123
    monkeypatch.setattr(torch, "get_device_module", lambda which: SimpleNamespace())
    assert device.available_bytes("mps") == pytest.approx(device.available_bytes("cpu"), rel=0.5)
