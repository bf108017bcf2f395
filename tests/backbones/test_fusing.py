"""Blocks with all folded that can be."""

from __future__ import annotations

import torch

from adair.backbones.fusing import FusedBlock
from adair.backbones.nafnet import NAFBlock
from adair.backbones.pooling import set_local_statistics


def test_attention_in_a_batch_is_bit_by_bit_that_of_each_image() -> None:
    """With 128 channels and 2x2 cells, as the bundled network has them for images of 64x64 pixels."""
    generator = torch.Generator().manual_seed(0)
    block = NAFBlock(128, 4)
    for value in block.parameters():
        value.data = torch.randn(value.shape, generator=generator) * 0.1
    set_local_statistics(block, 2)
    fused = FusedBlock(block).to(torch.bfloat16)
    y = torch.randn(8, 128, 16, 16, generator=generator).to(torch.bfloat16)
    with torch.inference_mode():
        together, alone = fused._attention(y), torch.cat([fused._attention(one) for one in y.split(1)])
    assert together.shape == (8, 128, 2, 2)
    assert torch.equal(together, alone)
