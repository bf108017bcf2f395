"""How much memory is free for this process, in bytes, containers' limits included."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_UNLIMITED = 1 << 60  # control groups version 1 write a number near 2^63 for "no limit"


def memory_available(device: torch.device | None = None, root: Path = Path("/")) -> int:
    """Bytes that can be taken on ``device`` without swapping or being killed.

    Args:
        device: None or the CPU for main memory (the smaller of what is free and what is left of each control
            group's limit); a CUDA or MPS device for its own memory, blocks that torch keeps for reuse included.
        root: where ``/proc`` and ``/sys`` are (another folder in tests).
    """
    if device is not None and device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device is not None and device.type == "mps":
        import torch

        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return max(0, min([_system_free(root), *_group_headrooms(root)]))


def _system_free(root: Path) -> int:
    """Return the system's free memory: exact on Linux; elsewhere half of the installed memory as a careful guess."""
    try:
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    if sys.platform == "win32":
        return _windows_free()
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _group_headrooms(root: Path) -> list[int]:
    """What is left under each limit from this process's control group up to the top, versions 2 and 1."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / path.strip("/")
        for folder in [group, *group.parents]:
            if not folder.is_relative_to(top):
                break
            left = _headroom(folder, *names)
            if left is not None:
                found.append(left)
    return found


def _headroom(folder: Path, limit_name: str, used_name: str, cache_name: str) -> int | None:
    """Limit less use; file pages that the kernel can drop at once do not count as used."""
    try:
        limit = int((folder / limit_name).read_text())
        used = int((folder / used_name).read_text())
    except (OSError, ValueError):  # absent, or "max"
        return None
    if limit >= _UNLIMITED:
        return None
    try:
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used -= int(stat.get(cache_name, 0))
    except (OSError, ValueError):
        pass
    return limit - used


def _windows_free() -> int:
    """``ullAvailPhys`` of ``GlobalMemoryStatusEx``."""
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("sizes", ctypes.c_uint64 * 7)]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.CDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.sizes[1])
