"""A thread that leaves the work to another one gives its team of threads back."""

from __future__ import annotations

import sys
import threading

import pytest
import torch

from adair.hardware import compute_alone


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyTorch has no libgomp")
def test_only_the_thread_that_asks_computes_alone() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[int, int]] = []

    def work(alone: bool) -> None:
        torch.set_num_threads(3)
        if alone:
            compute_alone()
            compute_alone()
        product = torch.ones(300, 300) @ torch.ones(300, 300)
        seen.append((torch.get_num_threads(), int(product.sum())))

    try:
        for alone in (False, True, False):
            thread = threading.Thread(target=work, args=(alone,))
            thread.start()
            thread.join()
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)
    assert seen == [(3, 300**3), (1, 300**3), (3, 300**3)]
