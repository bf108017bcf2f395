"""The processor: its name, its instruction sets, and the cores that this process may use."""

from __future__ import annotations

import math
import os
import platform
from functools import cache
from pathlib import Path


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's entry in ``/proc/cpuinfo``; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in lines}


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine() or "unknown"


@cache
def cpu_flags() -> frozenset[str]:
    """Lower-case instruction set names, such as ``avx2`` and ``avx512_bf16``; empty if the system does not tell."""
    listed = _cpuinfo().get("flags") or _cpuinfo().get("features")
    if listed:
        return frozenset(listed.lower().split())
    import torch

    ask = getattr(torch.cpu, "get_capabilities", None)  # torch 2.9 and newer; the way to know on macOS and Windows
    return frozenset(name for name, has in ask().items() if has is True) if ask else frozenset()


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may really use: its affinity, less what a container's CPU quota takes away.

    Args:
        cgroup: where control groups are mounted (another folder in tests).
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota(cgroup)
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


def _cpu_quota(cgroup: Path) -> float | None:
    """The container's limit in cores (control groups version 2, then 1), or None."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return int(limit) / int(period) if int(limit) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max" means no limit
        return None
