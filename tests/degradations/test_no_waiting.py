"""No operator may ask a GPU for a value while a batch is made: the host would wait until all work before is done."""

from __future__ import annotations

import collections

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.degradations import OPERATORS, parse_recipe
from adair.degradations.nodes import Turn, work_off

MIX = (
    "shuffle(noise(clip={true, false})?0.5, resize?0.5, jpeg(chroma={420, 444})?0.5, blur(ratio=0.3..1)?0.5) | rain | "
    "(poisson(clip={true, false}) > motion | camera > defocus) > (haze | scratches | holes)?0.5"
)


# libwebp runs on the CPU alone, so this operator has to wait for its pixels.
WAITING = {"webp"}
QUEUED = [*(name for name in OPERATORS if name not in WAITING), MIX]


def drawn(text: str, count: int, seed: int) -> list[list[Turn]]:
    queues: list[list[Turn]] = [[] for _ in range(count)]
    parse_recipe(text).root.draw(queues, torch.Generator().manual_seed(seed))
    return queues


@pytest.mark.parametrize("text", QUEUED)
def test_no_value_of_a_pixel_is_ever_asked_for(text: str) -> None:
    """Tensors without values (meta) stand for a GPU: whatever would have to wait for a value raises an error."""
    for seed in range(3):
        x = torch.empty(12, 3, 64, 64, device="meta")
        worse = work_off(x, drawn(text, 12, seed), None)  # type: ignore[arg-type]
        assert worse.device.type == "meta"


@pytest.mark.gpu
@pytest.mark.parametrize("text", QUEUED)
def test_nothing_waits_for_the_gpu(text: str) -> None:
    recipe, x = parse_recipe(text), torch.rand(12, 3, 64, 64, device="cuda")
    recipe.run(x, torch.Generator().manual_seed(0))  # the first call may set libraries up
    torch.cuda.set_sync_debug_mode("error")
    try:
        for seed in range(5):
            recipe.run(x, torch.Generator().manual_seed(seed))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_every_sample_takes_its_turns_in_order(seed: int) -> None:
    """Working a batch off together gives each sample what it would get alone."""
    text = "shuffle(lowlight, banding, blur(sigma=0.5..1, kernel=5), jpeg?0.5) > (resize | lowlight)?0.5"
    x = torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    together = work_off(x.clone(), drawn(text, 9, seed), torch.Generator())
    alone = [work_off(x[i : i + 1].clone(), [q], torch.Generator()) for i, q in enumerate(drawn(text, 9, seed))]
    assert ((together - torch.cat(alone)).abs() * 255).max() < 1.01  # a tie of the last rounding may fall either way


def test_an_operator_runs_once_for_all_samples_that_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: collections.Counter[str] = collections.Counter()
    for operator in OPERATORS.values():

        def spy(x: torch.Tensor, generator: torch.Generator, name: str = operator.name, **rest: torch.Tensor):
            calls[name] += 1
            return x

        monkeypatch.setitem(operator.__dict__, "apply", spy)
    work_off(torch.zeros(32, 3, 8, 8), drawn("noise | blur | noise > jpeg | (jpeg | noise)", 32, 0), torch.Generator())
    assert calls == {"noise": 1, "blur": 1, "jpeg": 1}
