"""How fast training is: images a second, where the time goes, and what an adapter saves.

    python benchmarks/train_speed.py [--json FILE] [--seconds 10] [--tricks] [--compile] [--quick]

Every variant trains in a process of its own, so that neither allocators nor peaks of memory mix:

- engine: `adair pretrain`, from scratch, as a user gets it.
- plain: the loop that one would write first: a DataLoader with a worker for each core that cuts and degrades sample by
  sample, float32, contiguous, no tuned allocator; the same network, recipe, loss and optimiser.
- full: the foundation's weights, all of them trained. adapter, adapter_conv: the foundation frozen, an adapter trained.
- with --tricks: the engine with one of its tricks left out, or one more added.

Memory is what training takes beyond what the process had before it built the network (on a GPU: what torch allocated).
The floor of a step is what no reordering of its work goes below: its operations at the measured rate of large matrix
products, or its bytes at the measured bandwidth, whichever takes longer. Bytes are counted once written and once read
for every tensor that the backward pass needs, and for weights, gradients, moments and averages.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
TINY = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}
TRICKS = {
    "no_allocator": "glibc's allocator as it comes",
    "fp32": "float32 instead of bfloat16",
    "contiguous": "without channels-last",
    "other_thread": "batches made the other way: in a second thread if inline, inline if not",
    "compile": "with torch.compile",
}


class Enough(Exception):
    """Raised by the watch of a run when everything is measured."""


class Stopwatch:
    """Counts steps after a warm-up for some seconds, then has the parts of a step timed for as long again."""

    def __init__(self, options: argparse.Namespace, device: Any, parts: Callable[[Stopwatch], None]) -> None:
        self.warm, self.seconds, self.device, self.parts = options.warm, options.seconds, device, parts
        self.calls, self.steps, self.begun, self.rate = 0, 0, 0.0, 0.0
        self.spent: dict[str, float] = {}

    def now(self) -> float:
        """The time when all work given to the device so far is done."""
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize()
        return time.perf_counter()

    def step(self, *_: Any) -> None:
        """To be called after every step."""
        self.calls += 1
        if self.calls == self.warm:
            self.begun = self.now()
        elif self.calls > self.warm:
            self.steps += 1
            if self.steps >= 3 and time.perf_counter() - self.begun > self.seconds:
                took = (self.now() - self.begun) / self.steps
                if self.rate:
                    self.spent["other"] = took * self.steps - sum(self.spent.values())
                    raise Enough
                self.rate, self.steps = 1 / took, 0
                self.parts(self)
                self.begun = self.now()

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, with its time added to part ``name``."""

        def run(*args: Any, **rest: Any) -> Any:
            start = self.now()
            result = call(*args, **rest)
            self.spent[name] = self.spent.get(name, 0.0) + self.now() - start
            return result

        return run

    def shares(self) -> dict[str, float]:
        total = sum(self.spent.values())
        return {name: spent / total for name, spent in self.spent.items()}


def measure_engine(options: argparse.Namespace) -> dict[str, Any]:
    """Train with `Trainer` from scratch, in full or an adapter; return speed, shares, memory."""
    import torch

    from adair.adapters import AdaptedModel, create_adapter
    from adair.backbones import build_backbone
    from adair.degradations import parse_recipe
    from adair.hardware import choose_precision, tune_allocator
    from adair.tasks import MIX
    from adair.train.batches import Batches
    from adair.train.objectives import SyntheticPairs
    from adair.train.photos import open_store
    from adair.train.settings import RunSettings, Schedule
    from adair.train.state import Callback
    from adair.train.trainer import Trainer, channels_last
    from adair.weights import load_foundation

    variant = options.measure
    if variant != "no_allocator":
        tune_allocator()
    device = fill_in(options)
    precision = choose_precision("fp32" if variant == "fp32" else None, device)
    torch.manual_seed(0)
    tiny = build_backbone("nafnet", TINY).to(device)
    with torch.autocast(device.type, precision.dtype, enabled=precision.name != "fp32"):
        tiny(torch.rand(1, 3, 16, 16, device=device)).sum().backward()  # the libraries set themselves up
    before = peak_memory(device)
    if variant in ("full", "adapter", "adapter_conv") and not options.quick:
        model = load_foundation(None).model.requires_grad_(True)  # an adapter freezes it again
    else:
        model = build_backbone("nafnet", TINY if options.quick else None)
    model = model.to(device) if variant == "contiguous" else channels_last(model.to(device))
    parameters, forward = dict(model.named_parameters()), model
    if variant.startswith("adapter"):
        adapter = create_adapter("conv" if variant == "adapter_conv" else "merge", model).to(device)
        parameters, forward = dict(adapter.named_parameters()), AdaptedModel(model)
        forward.attach(adapter)

    def time_parts(watch: Stopwatch) -> None:
        trainer.batches.make = watch.timed("data", trainer.batches.make)  # type: ignore[method-assign]
        trainer.forward = watch.timed("forward", trainer.forward)
        torch.Tensor.backward = watch.timed("backward", torch.Tensor.backward)  # type: ignore[method-assign]
        trainer.optimiser.update = watch.timed("optimiser", trainer.optimiser.update)  # type: ignore[method-assign]

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(options.photos, Path(folder))
        settings = RunSettings(
            SyntheticPairs(parse_recipe(MIX)),
            Schedule(1e-3),
            steps=10**9,
            batch=options.batch,
            patches=((0.0, options.patch),),
            precision=precision.dtype,
            validate_steps=10**9,
            optimiser="adamw",  # as in the plain loop
            compile=options.compile or variant == "compile",
        )
        watch = Stopwatch(options, device, time_parts)
        steps = Callback()
        steps.on_step = watch.step  # type: ignore[method-assign,assignment]
        trainer = Trainer(forward, parameters, settings, store, {}, Path(folder) / "run.safetensors", {}, steps)
        if variant == "other_thread":
            ahead = trainer.batches._thread is None
            trainer.batches = Batches(store, settings.objective, settings.batch, settings.seed, device, ahead=ahead)
        with contextlib.suppress(Enough):
            trainer.run()
    result = {
        "images_per_second": watch.rate * options.batch,
        "seconds_per_step": 1 / watch.rate,
        "shares": watch.shares(),
        "memory_mb": (peak_memory(device) - before) / 2**20,
        "trained": sum(value.numel() for value in parameters.values()),
        "precision": precision.name,
        "device": device_name(device),
        "batch": options.batch,
        "patch": options.patch,
    }
    return result | (floor(trainer, options, 1 / watch.rate) if variant == "engine" else {})


def measure_plain(options: argparse.Namespace) -> dict[str, Any]:
    """Train with the loop that one would write first."""
    import torch
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    from adair.backbones import build_backbone
    from adair.degradations import parse_recipe
    from adair.tasks import MIX
    from adair.train.photos import open_store

    class Samples(IterableDataset):  # type: ignore[type-arg]
        """Random patches, each cut and degraded on its own."""

        def __iter__(self) -> Iterator[Any]:
            generator = torch.Generator().manual_seed(cast(Any, get_worker_info()).id)
            recipe, side = parse_recipe(MIX), options.patch
            while True:
                photo = store.photo(int(torch.randint(len(store), (1,), generator=generator)))
                top, left = (int(torch.randint(size - side + 1, (1,), generator=generator)) for size in photo.shape[:2])
                patch = torch.from_numpy(photo[top : top + side, left : left + side].copy())
                clean = patch.permute(2, 0, 1)[None].float() / 255
                turn = int(torch.randint(4, (1,), generator=generator))
                clean = torch.rot90(clean, turn, (2, 3)).contiguous()
                yield clean[0], recipe.apply(clean, generator)[0]

    device = fill_in(options)
    model = build_backbone("nafnet", TINY if options.quick else None).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(options.photos, Path(folder))
        loader = DataLoader(Samples(), batch_size=options.batch, num_workers=cores(), pin_memory=device.type == "cuda")
        batches = iter(loader)
        parts: dict[str, Callable[..., Any]] = {
            "data": lambda: tuple(part.to(device, non_blocking=True) for part in next(batches)),
            "forward": model,
            "backward": torch.Tensor.backward,
            "optimiser": optimiser.step,
        }

        def time_parts(watch: Stopwatch) -> None:
            parts.update({name: watch.timed(name, call) for name, call in parts.items()})

        watch = Stopwatch(options, device, time_parts)
        with contextlib.suppress(Enough):
            while True:
                clean, degraded = parts["data"]()
                loss = (parts["forward"](degraded) - clean).abs().mean()
                optimiser.zero_grad()
                parts["backward"](loss)
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                parts["optimiser"]()
                loss.item()  # as a log wants it
                watch.step()
    return {
        "images_per_second": watch.rate * options.batch,
        "seconds_per_step": 1 / watch.rate,
        "shares": watch.shares(),
        "workers": cores(),
    }


def fill_in(options: argparse.Namespace) -> Any:
    """Choose the device, and what was not given for it; return it."""
    from adair.hardware import choose_device

    device = choose_device(options.device)
    batch, patch, options.warm = (64, 128, 30) if device.type == "cuda" else (16, 64, 5)
    if options.quick:
        batch, patch, options.warm = 2, 32, 2
    options.batch, options.patch = options.batch or batch, options.patch or patch
    options.seconds = options.seconds or (0.1 if options.quick else 10.0)
    return device


def floor(trainer: Any, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Count a step's operations and bytes, measure what the device can do, and put a step beside it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    saved: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    clean, degraded = trainer.batches.make(0, options.patch)
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        (trainer.restore(degraded) - clean).abs().mean().backward()
    # Of each trained weight four bytes: gradient written, clipped and read; weight, two moments and average read and
    # written.
    state = 4 * 12 * sum(value.numel() for value in trainer.optimiser.parameters.values())
    operations, moved = counter.get_total_flops(), 2 * sum(saved.values()) + state
    rate, bandwidth = device_rates(trainer.device, trainer.settings.precision, 512 if options.quick else 4096)
    least = max(operations / rate, moved / bandwidth)
    return {
        "floor": {
            "operations": operations,
            "bytes": moved,
            "operations_per_second": rate,
            "bytes_per_second": bandwidth,
            "seconds": least,
            "times_the_floor": seconds / least,
        }
    }


def device_rates(device: Any, dtype: Any, side: int) -> tuple[float, float]:
    """Operations a second of a large matrix product, and bytes a second of a large copy (read and written)."""
    import torch

    def best(run: Callable[[], Any]) -> float:
        times = []
        for _ in range(6):
            start = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        return min(times)

    side = 2 * side if device.type == "cuda" else side // 2
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.empty(side * side * 16, dtype=torch.uint8, device=device).zero_()
    target = torch.empty_like(source)
    return 2 * side**3 / best(lambda: a @ b), 2 * source.nbytes / best(lambda: target.copy_(source))


def peak_memory(device: Any) -> float:
    """Most bytes held so far: by this process, or on a GPU by torch."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device))
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def device_name(device: Any) -> str:
    """The GPU's name, or the processor's with the number of threads in use."""
    import torch

    from adair.hardware import cpu_name

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {torch.get_num_threads()} threads"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_a_process(variant: str, words: list[str]) -> dict[str, Any]:
    """Run this file for one variant in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--measure", variant, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    shares = "  ".join(f"{name} {share:.0%}" for name, share in result["shares"].items())
    memory = f"  {result['memory_mb']:6.0f} MB" if "memory_mb" in result else " " * 11
    print(f"{variant:14}{result['images_per_second']:9.1f} images/s{memory}   {shares}", flush=True)
    return result


def main() -> None:
    """Measure, print, and write the JSON file if one is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--seconds", type=float, help="to measure each variant, twice (speed, then its parts)")
    parser.add_argument("--device", help="cpu, cuda; default: the best at hand")
    parser.add_argument("--batch", type=int, help="patches a step; default 16 on a CPU, 64 on a GPU")
    parser.add_argument("--patch", type=int, help="side of a patch; default 64 on a CPU, 128 on a GPU")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder of photos")
    parser.add_argument("--compile", action="store_true", help="compile the network of all but the plain loop")
    parser.add_argument("--tricks", action="store_true", help="also measure what each trick gives")
    parser.add_argument("--quick", action="store_true", help="a tiny network and few steps: does it run at all?")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps((measure_plain if options.measure == "plain" else measure_engine)(options)))
        return

    variants = ["engine", "plain", "full", "adapter", *([] if options.quick else ["adapter_conv"])]
    variants += TRICKS if options.tricks else []
    found = {variant: in_a_process(variant, sys.argv[1:]) for variant in variants}
    engine, full, adapter = found["engine"], found["full"], found["adapter"]
    result = {
        "speedup": engine["images_per_second"] / found["plain"]["images_per_second"],
        "data_share": engine["shares"]["data"],
        "adapter_step_ratio": adapter["seconds_per_step"] / full["seconds_per_step"],
        "adapter_memory_ratio": adapter["memory_mb"] / full["memory_mb"],
        "images_per_second": engine["images_per_second"],
        "device": engine["device"],
        "precision": engine["precision"],
        "batch": engine["batch"],
        "patch": engine["patch"],
        "variants": found,
    }
    print(f"{result['device']}, {result['precision']}, {result['batch']} patches of {result['patch']} pixels a side")
    print(f"  {result['speedup']:.2f} times as fast as the plain loop; data and degradation {result['data_share']:.1%}")
    print(f"  a step of an adapter takes {result['adapter_step_ratio']:.2f} of the time of a full step,", end=" ")
    print(f"{result['adapter_memory_ratio']:.2f} of the memory")
    least = engine["floor"]
    print(
        f"  floor of a step: {least['seconds'] * 1e3:.2f} ms "
        f"({least['operations'] / 1e9:.1f} G operations at {least['operations_per_second'] / 1e12:.2f} T/s, "
        f"{least['bytes'] / 1e6:.0f} MB at {least['bytes_per_second'] / 1e9:.0f} GB/s); "
        f"a step takes {least['times_the_floor']:.1f} times that"
    )
    for variant in TRICKS if options.tricks else ():
        ratio = found[variant]["images_per_second"] / engine["images_per_second"]
        print(f"  {TRICKS[variant]}: {ratio:.2f} times the speed of the engine")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
