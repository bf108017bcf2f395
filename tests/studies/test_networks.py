"""The networks of the strategies, and adapters in other number formats."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.errors import AdairError
from adair.studies.adapters import FORMS, Stored, packed, unpacked
from adair.studies.heads import HeadsAndTails, ManyHeads
from adair.studies.networks import Adapted, Whole, bare
from adair.studies.prompts import Prompted
from adair.studies.runner import in_order, work_off
from adair.studies.training import Course
from adair.studies.workspace import Workspace

RECIPES = ("noise(sigma=15)", "noise(sigma=50)", "resize(scale=2)", "resize(scale=4)")


def test_a_batch_is_divided_among_the_recipes() -> None:
    course = Course(("noise(sigma=0)", "lowlight(exposure=0.1)"), 1, 4, 16)
    patches = torch.rand(4, 3, 16, 16)
    target, given = course.objective.pair(patches, torch.Generator().manual_seed(0))
    assert torch.equal(target, patches)
    assert (given[:2] - patches[:2]).abs().max() < 0.01 and given[2:].mean() < 0.5 * patches[2:].mean()
    with pytest.raises(AdairError, match="cannot be divided evenly"):
        Course(("noise()", "blur()"), 1, 3, 16)


def test_heads_and_tails_belong_to_tasks(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    job = HeadsAndTails(Course(RECIPES, 2, 4, 16), whole().form, ("denoise", "sr"))
    model = job.build(workspace).module
    assert isinstance(model, ManyHeads)
    x = torch.rand(4, 3, 18, 22)
    together = model(x)
    for task, part in enumerate(("first", "second")):
        model.only = task
        half = slice(2 * task, 2 * task + 2)
        assert torch.allclose(model(x[half]), together[half], atol=1e-5), part
    model.only = 1
    assert not torch.allclose(model(x[:2]), together[:2], atol=1e-3)
    work_off([job], workspace)
    restorer = job.restorer(workspace, "sr")
    assert isinstance(restorer, ManyHeads) and restorer.only == 1


def test_prompts_depend_on_the_input_and_every_weight_learns(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    job = Prompted(Course(RECIPES, 2, 4, 16), whole().form)
    model = job.build(workspace)
    x = torch.rand(2, 3, 18, 22)
    assert model.module(x).shape == x.shape
    blocks = [up[0] for up in model.module.ups]  # type: ignore[union-attr]
    assert len(blocks) == 1
    features = torch.rand(1, 8, 6, 6)
    assert not torch.allclose(blocks[0](features), blocks[0](features.flip(1)), atol=1e-4)
    model.module(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.trained.values())
    work_off([job], workspace)
    assert workspace.result(job).figures["parameters"] > sum(p.numel() for p in bare(job.form, workspace).parameters())


def test_fine_tuning_begins_at_its_start(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    start = whole()
    work_off([start], workspace)
    tuned = dataclasses.replace(whole("blur(sigma=1)"), start=start)
    begin, end = start.load(workspace).module.state_dict(), tuned.build(workspace).module.state_dict()
    assert all(torch.equal(tensor, end[name]) for name, tensor in begin.items())


def test_an_untrained_adapter_changes_nothing(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    foundation = whole()
    work_off([foundation], workspace)
    x = torch.rand(1, 3, 24, 24)
    for kind, options in (("merge", (("rank", 1),)), ("conv", (("reduction", 2), ("sites", "first")))):
        job = Adapted(Course(("noise()",), 1, 2, 16), foundation, kind, options)
        with torch.no_grad():
            assert torch.allclose(job.build(workspace).module(x), foundation.load(workspace).module(x), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(1e-4, 10), st.integers(0, 99))
def test_formats_keep_what_they_can(rows: int, columns: int, size: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        "a.up": size * torch.randn(rows, columns + 1, generator=generator),
        "b.full": size * torch.randn(rows, generator=generator),
    }
    allowed = {"fp32": 0.0, "fp16": 2**-10, "bf16": 2**-7, "int8": 0.51 / 127}
    for form in FORMS:
        back = unpacked(packed(tensors, form))
        assert back.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert back[name].shape == tensor.shape
            largest = float(tensor.abs().max())
            assert float((back[name] - tensor).abs().max()) <= (allowed[form] + 2**-10) * largest + 1e-6


def test_stored_in_less_it_restores_about_the_same(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    adapter = Adapted(Course(("noise(sigma=25)",), 3, 2, 16), whole(), "conv", (("reduction", 1), ("sites", "both")))
    jobs = [Stored(adapter, form) for form in FORMS]
    work_off(in_order(jobs, workspace), workspace)
    x = torch.rand(1, 3, 24, 24)
    exact = jobs[0].restorer(workspace, "")(x)
    assert all(torch.allclose(job.restorer(workspace, "")(x), exact, atol=0.02) for job in jobs)
    sizes = {job.form: workspace.result(job).figures["bytes"] for job in jobs}
    assert sizes["fp16"] < sizes["fp32"] and abs(sizes["bf16"] - sizes["fp16"]) < 200
