from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adair.backbones import build_backbone
from adair.train.compute import compiled
from adair.train.loop import Trainer, channels_last
from adair.train.photos import PhotoStore
from adair.train.plan import Plan

TINY = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}


def test_compiling_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model, **rest: lambda x: model(x) + 1)
    assert compiled(torch.sin, False) is torch.sin
    assert compiled(torch.sin, True)(torch.zeros(1)) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("compile", [False, True])
def test_a_step_never_waits_for_the_gpu(
    compile: bool, photos: PhotoStore, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    model = channels_last(build_backbone("nafnet", TINY).cuda())
    plan = make_plan(recipe="noise | blur | jpeg", precision=torch.bfloat16, compile=compile, patches=((0.0, 32),))
    trainer = Trainer(model, dict(model.named_parameters()), plan, photos, {}, tmp_path / "c.safetensors", {})
    for _ in range(10):
        trainer._step()  # the first ones set libraries up
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            trainer._step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert trainer.report.step == 15
