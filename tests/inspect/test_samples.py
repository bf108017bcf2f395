"""What the estimator learns from: labels say what was done."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from adair.degradations import OPERATORS
from adair.inspect.samples import MAKERS, MARGIN, make_samples
from adair.tasks import DAMAGES


@pytest.fixture(scope="module")
def clean() -> Tensor:
    """Waves of several lengths, (256, 3, 40, 40), in 0.2..0.8 so that little is clipped."""
    phase = torch.arange(256.0).view(-1, 1, 1, 1)
    rows, columns = torch.arange(40.0).view(1, 1, -1, 1), torch.arange(40.0).view(1, 1, 1, -1)
    colour = torch.arange(3.0).view(1, 3, 1, 1)
    return 0.5 + 0.3 * torch.sin(rows / (2 + phase % 7) + colour) * torch.cos(columns / (1 + phase % 5) + phase)


@pytest.fixture(scope="module")
def samples(clean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return make_samples(clean, torch.Generator().manual_seed(1))


def test_damage_is_named_like_operators_in_the_order_in_which_photos_are_formed() -> None:
    assert [damage.name for damage in DAMAGES] == ["rain", "blur", "resize", "noise", "jpeg"]
    assert all(kind.name in OPERATORS and kind.name in MAKERS for kind in DAMAGES)


def test_levels_and_severities_are_inverse() -> None:
    for kind in DAMAGES:
        assert kind.severity(kind.none) == 0 and kind.severity(kind.worst) == 1
        assert kind.level(kind.severity(kind.worth)) == pytest.approx(kind.worth)
        assert 0 < kind.severity(kind.worth) < 0.2


def test_shapes_and_ranges(samples: tuple[Tensor, Tensor, Tensor]) -> None:
    patches, present, severity = samples
    assert patches.shape == (256, 3, 40 - MARGIN, 40 - MARGIN)
    assert present.shape == severity.shape == (256, len(DAMAGES))
    assert set(present.unique().tolist()) == {0.0, 1.0}
    assert severity.min() >= 0 and severity.max() < 1.3
    assert (patches < 0).any() and (patches > 1).any()  # noise that nobody clipped


def test_a_kind_is_present_from_its_worth_on(samples: tuple[Tensor, Tensor, Tensor]) -> None:
    _, present, severity = samples
    worth = torch.tensor([kind.severity(kind.worth) for kind in DAMAGES])
    assert torch.equal(present.bool(), severity >= worth)
    assert ((severity > 0) & (severity < worth)).any(0).sum() >= 3  # harmless amounts are seen as well


def test_every_kind_alone_and_none_and_never_blur_with_resize(samples: tuple[Tensor, Tensor, Tensor]) -> None:
    present = samples[1]
    alone = present[present.sum(1) == 1].sum(0)
    assert (alone > 5).all()
    assert (present.sum(1) == 0).sum() > 30 and (present.sum(1) > 1).sum() > 20
    assert not (present[:, 1] * present[:, 2]).any()


def test_the_severity_of_noise_is_the_noise(clean: Tensor) -> None:
    """Noise alone can be measured: the deviation from the clean patch, at some place of the margin."""
    patches, present, severity = make_samples(clean, torch.Generator().manual_seed(2))
    only = (present[:, 3] > 0) & (present.sum(1) == 1) & (severity[:, 3] > 0.2) & (severity.sum(1) == severity[:, 3])
    side = patches.shape[-1]
    errors = []
    for i in only.nonzero().flatten().tolist():
        places = [(top, left) for top in range(MARGIN + 1) for left in range(MARGIN + 1)]
        apart = min(float((patches[i] - clean[i, :, t : t + side, v : v + side]).std()) for t, v in places)
        grayed = float((patches[i] - patches[i].mean(0)).abs().max()) < 1e-6
        if not grayed:
            errors.append(apart * 255 / (float(severity[i, 3]) * 55) - 1)
    errors.sort(key=abs)
    # Patterns, another damage and the coarse noise of photos make single patches differ from their samples.
    assert len(errors) > 5 and abs(errors[len(errors) // 2]) < 0.1


def test_samples_follow_from_the_seed(clean: Tensor) -> None:
    first, again, other = (make_samples(clean[:16], torch.Generator().manual_seed(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
