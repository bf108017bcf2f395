"""Sizes, counts, sites and precision of both networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adair.backbones import build_backbone, complete_config, named_sites
from adair.errors import AdairError

SMALL: dict[str, dict[str, Any]] = {
    "nafnet": {"width": 4, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]},
    "restormer": {"width": 4, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 1, 2, 4]},
}


@pytest.mark.parametrize(
    ("backbone", "config", "published"),
    [
        ("restormer", {}, 26_126_644),
        ("restormer", {"norm_bias": False}, 26_111_668),
        ("nafnet", {"width": 32, "encoder": [1, 1, 1, 28], "middle": 1, "decoder": [1, 1, 1, 1]}, 17_111_907),
    ],
)
def test_has_the_published_number_of_parameters(backbone: str, config: dict[str, Any], published: int) -> None:
    with torch.device("meta"):
        model = build_backbone(backbone, config)
    assert sum(parameter.numel() for parameter in model.parameters()) == published


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (37, 53)])
def test_takes_any_size(random_network: Callable[..., nn.Module], backbone: str, height: int, width: int) -> None:
    x = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    y = random_network(backbone, SMALL[backbone])(x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert (y - x).abs().max() > 1e-3


@pytest.mark.parametrize("backbone", SMALL)
def test_channels_last_gives_the_same(random_network: Callable[..., nn.Module], backbone: str) -> None:
    model = random_network(backbone, SMALL[backbone]).double()  # so that only a mistake can make a difference
    x = torch.rand(1, 3, 24, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = model(x)
    last = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("backbone", SMALL)
def test_a_network_in_bf16_adds_its_correction_in_the_precision_of_the_input(
    random_network: Callable[..., nn.Module], backbone: str
) -> None:
    model = random_network(backbone, SMALL[backbone]).to(torch.bfloat16)
    last = dict(model.named_parameters())["ending.weight" if backbone == "nafnet" else "output.weight"]
    last.zero_()
    if backbone == "nafnet":
        dict(model.named_parameters())["ending.bias"].zero_()
    x = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    y = model(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, x)


@pytest.mark.parametrize("backbone", SMALL)
def test_every_block_has_two_sites_that_see_its_normed_input(
    random_network: Callable[..., nn.Module], backbone: str
) -> None:
    model = random_network(backbone, SMALL[backbone])
    sites = dict(named_sites(model))
    blocks = {name.rpartition(".")[0] for name in sites}
    assert sites.keys() == {f"{block}.{site}" for block in blocks for site in ("site1", "site2")}
    assert len(blocks) == (5 if backbone == "nafnet" else 8)

    class Probe(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(tuple(x.shape[:2]))
            return torch.zeros_like(x)

    seen: list[tuple[int, ...]] = []
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    before = model(x)
    for site in sites.values():
        site.adapter = Probe()
    assert torch.equal(model(x), before)
    assert sorted(seen) == sorted((1, site.channels) for site in sites.values())


@pytest.mark.parametrize(
    ("backbone", "config", "words"),
    [
        ("resnet", {}, "unknown backbone 'resnet'"),
        ("nafnet", {"widht": 8}, "unknown setting 'widht'"),
        ("nafnet", {"width": "8"}, "width must be int"),
        ("nafnet", {"width": 100_000}, "width 100000 is outside"),
        ("nafnet", {"encoder": [1]}, "encoder has 1 levels"),
        ("restormer", {"heads": [1, 2, 4, 7]}, "7 heads do not divide"),
        ("restormer", {"width": 3, "heads": [1, 1, 1, 1]}, "width 3 is odd"),
    ],
)
def test_a_wrong_configuration_is_named(backbone: str, config: dict[str, Any], words: str) -> None:
    with pytest.raises(AdairError, match=words) as caught:
        build_backbone(backbone, config)
    assert "\n" not in str(caught.value)


def test_a_configuration_is_completed_with_the_defaults() -> None:
    assert complete_config("nafnet", {"width": 16})["encoder"] == complete_config("nafnet")["encoder"]
    assert complete_config("nafnet", {"encoder": [1, 1, 1, 1]})["encoder"] == (1, 1, 1, 1)
