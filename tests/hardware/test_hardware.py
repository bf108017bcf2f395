"""Choices follow from the machine; limits of containers count; bad names give one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import adair.hardware as hardware
from adair.errors import AdairError
from adair.hardware import precision as precision_module

CPU = torch.device("cpu")
MIB = 1 << 20


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_tuning_is_stated_and_may_be_repeated() -> None:
    out = run_python(
        "from adair.hardware import *; print(allocator_state()); first = tune_allocator();"
        "print(first == tune_allocator()); print(first == (allocator_state() == 'tuned'))"
    )
    assert out.splitlines() == ["not tuned", "True", "True"]


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
def test_tuned_allocator_reuses_large_blocks_in_every_thread() -> None:
    """After tuning, a freed large block is given out again: repeated use causes (almost) no page faults."""
    code = """
import ctypes, platform, resource, threading
from adair.hardware.allocator import tune_allocator
if platform.libc_ver()[0] != "glibc": print("1000 0 0"); raise SystemExit
libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p; libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
size = 100 << 20
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        block = libc.malloc(size); ctypes.memset(block, 1, size); libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(faults())); thread.start(); thread.join()
    return found[0]
plain = faults(); tune_allocator(); faults(); print(plain, faults(), in_a_thread())
"""
    plain, tuned, in_a_thread = map(int, run_python(code).split())
    assert tuned < plain / 4
    assert in_a_thread < plain / 4


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(), reason="this system has no huge pages to ask for"
)
def test_large_blocks_are_asked_for_on_huge_pages_and_take_no_memory_before() -> None:
    code = """
import ctypes, platform
from adair.hardware import free_unused, tune_allocator
if platform.libc_ver()[0] != "glibc": print("yes yes 0"); raise SystemExit
libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p; libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4
def asked():
    block = libc.malloc(100 << 20); middle = block + (50 << 20); found = "?"
    for line in open("/proc/self/smaps"):
        first = line.split()[0]
        if "-" in first and ":" not in first:
            low, high = (int(end, 16) for end in first.split("-")); here = low <= middle < high
        elif first == "VmFlags:" and here:
            found = "yes" if "hg" in line.split() else "no"
    libc.free(block)
    return found
before = resident(); tune_allocator(); taken = resident() - before
first = asked(); free_unused(); print(first, asked(), taken)
"""
    first, after_freeing, kilobytes = run_python(code).split()
    assert (first, after_freeing) == ("yes", "yes")
    assert int(kilobytes) < 4096


def test_device_names() -> None:
    assert hardware.choose_device("cpu") == CPU
    assert hardware.choose_device() == hardware.choose_device("auto")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "xla", "", "cuda:x"])
def test_unusable_device_is_named(name: str) -> None:
    with pytest.raises(AdairError) as error:
        hardware.choose_device(name)
    assert repr(name) in str(error.value) and "use " in str(error.value)
    assert "\n" not in str(error.value)


def test_precision_by_name() -> None:
    assert hardware.choose_precision("fp32", CPU).dtype == torch.float32
    assert hardware.choose_precision("bf16", CPU).dtype == torch.bfloat16
    assert hardware.choose_precision("bf16", CPU).name == "bf16"


@pytest.mark.parametrize("name", ["fp8", "float32", "fp16"])
def test_unusable_precision_is_named(name: str) -> None:
    with pytest.raises(AdairError, match=f"'{name}'.*use auto"):
        hardware.choose_precision(name, CPU)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [({"avx2"}, "fp32"), ({"avx512f"}, "fp32"), ({"avx512_bf16"}, "bf16"), ({"amx_bf16", "avx512_bf16"}, "bf16")],
)
def test_auto_precision_follows_the_cpu(flags: set[str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_module, "cpu_flags", lambda: frozenset(flags))
    chosen = hardware.choose_precision("auto", CPU)
    assert chosen.name == expected
    assert "avx512_bf16" in chosen.reason


def test_layout_is_channels_last_on_cpu() -> None:
    assert hardware.choose_layout(CPU).memory_format == torch.channels_last
    assert hardware.choose_layout(CPU).name == "channels-last"


def machine(root: Path, free: int, files: dict[str, str]) -> Path:
    """A file system with ``free`` bytes of memory and the given files under it."""
    for path, text in {"proc/meminfo": f"MemTotal: 99999999 kB\nMemAvailable: {free // 1024} kB\n", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_memory_without_limits(tmp_path: Path) -> None:
    root = machine(tmp_path, 512 * MIB, {"proc/self/cgroup": "0::/\n"})
    assert hardware.memory_available(CPU, root) == 512 * MIB


def test_memory_under_a_version_2_limit_of_a_parent(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/b/memory.current": f"{10 * MIB}\n",
        "sys/fs/cgroup/a/memory.max": f"{100 * MIB}\n",
        "sys/fs/cgroup/a/memory.current": f"{40 * MIB}\n",
        "sys/fs/cgroup/a/memory.stat": f"anon {20 * MIB}\ninactive_file {15 * MIB}\n",
    }
    assert hardware.memory_available(CPU, machine(tmp_path, 512 * MIB, files)) == 75 * MIB


def test_memory_under_a_version_1_limit(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/memory/job"
    files = {
        "proc/self/cgroup": "9:cpu:/\n4:memory:/job\n0::/\n",
        f"{group}/memory.limit_in_bytes": f"{64 * MIB}\n",
        f"{group}/memory.usage_in_bytes": f"{70 * MIB}\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
    }
    assert hardware.memory_available(CPU, machine(tmp_path, 512 * MIB, files)) == 0


def test_cores_respect_a_quota(tmp_path: Path) -> None:
    free = hardware.usable_cores(tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert hardware.usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert hardware.usable_cores(tmp_path) == free >= 1


def test_description_is_json_and_complete() -> None:
    facts = json.loads(json.dumps(hardware.describe()))
    assert facts["cores"] >= 1 and facts["memory_available"] > 0
    assert facts["precision"] in precision_module.NAMES and facts["precision_reason"]
    assert facts["torch"] == torch.__version__
