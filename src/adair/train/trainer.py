"""The training loop of foundations and adapters: patches of photos, an objective, averaged weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adair.errors import AdairError
from adair.train.batches import Batches
from adair.train.checkpoint import check_space, load_checkpoint, save_checkpoint
from adair.train.config import check_resumable
from adair.train.monitors import WINDOW, EarlyStopping, LossMonitor
from adair.train.optimiser import AveragedOptimiser
from adair.train.photos import PhotoStore
from adair.train.processes import Processes, stop_signals
from adair.train.settings import RunSettings
from adair.train.state import Callback, CallbackList, TrainState
from adair.train.validation import ValidationSets, evaluate, mean_psnr

SLOWEST = 1 / 16  # of the learning rate: the slowdown at which a run has diverged too often


class Trainer:
    """Trains some parameters of a model and maintains their moving average, which is the result.

    Args:
        forward: maps degraded patches (N, 3, H, W) to restored ones.
        parameters: the trained parameters by name; all on one device, in float32.
        settings: the settings of the run.
        photos: the photos to train on: clean ones for a recipe, or what the objective needs.
        validation_sets: by name, each (clean, degraded) on the parameters' device.
        checkpoint: file to save to and resume from.
        facts: what a checkpoint must match to be resumed (backbone, adapter kind, foundation).
        callbacks: called during the run.
        processes: the processes that train together, all with the same arguments.
        config: `TrainConfig.to_dict` of the run, stored in the checkpoint; what a step learns must not change when
            a run is resumed, unless it begins a new schedule.

    Attributes:
        state: the state of the run; replaced by a new one at every change.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        parameters: Mapping[str, nn.Parameter],
        settings: RunSettings,
        photos: PhotoStore,
        validation_sets: ValidationSets,
        checkpoint: Path,
        facts: Mapping[str, Any],
        callbacks: Callback | None = None,
        processes: Processes | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        # Compiling takes about a minute per patch size, but code for a fixed size is faster than code for any size.
        self.forward = torch.compile(forward, dynamic=False) if settings.compile else forward
        self.settings, self.validation_sets, self.checkpoint = settings, validation_sets, checkpoint
        self.callbacks, self.processes = callbacks or CallbackList(), processes or Processes()
        self.facts = json.loads(json.dumps(facts))  # as read from a checkpoint: lists, not tuples
        self.config = json.loads(json.dumps(config or {}))
        self.optimiser = AveragedOptimiser(
            parameters, settings.weight_decay, settings.average, settings.optimiser == "muon", settings.precision
        )
        self.device = self.optimiser.device
        if settings.batch < self.processes.count:
            raise AdairError(f"batch {settings.batch} is too small for {self.processes.count} processes")
        self.batches = Batches(
            photos,
            settings.objective,
            settings.batch,
            settings.seed,
            self.device,
            (self.processes.rank, self.processes.count),
            settings.texture,
            settings.shrink,
        )
        self.loss_monitor = LossMonitor(self.device)
        self.early_stopping = EarlyStopping(self.optimiser.average, settings.patience)
        self.state = TrainState()

    def resume(self, restart: bool = False) -> None:
        """Continue from the checkpoint.

        Args:
            restart: begin a new schedule there, with a learning rate that rises again and falls to the new end.

        Raises:
            AdairError: there is none, or it belongs to another model.
        """
        state = self.processes.from_first(self._load, restart)
        self.processes.copy_from_first(list(self.optimiser.tensors().values()))
        self.optimiser.set_step(state.step)  # of all processes
        if restart:
            # What was measured may have been of another recipe: the new schedule has a best of its own.
            measured: dict[str, Any] = {"psnr": {}, "input_psnr": {}, "best": {}, "best_step": 0, "history": ()}
            begun: dict[str, Any] = {"origin": state.step, "origin_seconds": state.seconds, "progress": 0.0}
            state = replace(state, slowdown=1.0, finished=False, **begun, **measured)
        self.state = state

    def _load(self, restart: bool) -> TrainState:
        tensors, facts = load_checkpoint(self.checkpoint, self.device)
        if not restart:
            check_resumable(self.checkpoint, facts.get("train_config") or {}, self.config)
        for key, value in self.facts.items():
            if facts.get(key) != value:
                raise AdairError(f"{self.checkpoint}: was trained with {key} {facts.get(key)}, not {value}")
        self.optimiser.load(tensors, facts["step"])
        state = TrainState.from_facts(facts)
        if not restart:
            self.early_stopping.load(tensors, state)
        return state

    def save(self) -> None:
        """Write the checkpoint."""
        recipe = str(self.settings.objective)
        facts = {**self.facts, **self.state.to_facts(), "recipe": recipe, "train_config": self.config}
        save_checkpoint(self.checkpoint, self._tensors(), facts, self.settings.saving)

    def _tensors(self) -> dict[str, Tensor]:
        """Return the content of a checkpoint."""
        return self.optimiser.tensors(self.settings.saving.compact) | self.early_stopping.tensors()

    def run(self) -> TrainState:
        """Train and write only the checkpoint: `train`, then an empty `result`."""
        with stop_signals():
            self.train()
            with self.result() as state:
                pass
        return state

    def train(self) -> None:
        """Train until the last step, the end of the time, or a signal.

        Raises:
            AdairError: there is no room for the checkpoint, or training diverges again and again.
        """
        self.state = replace(self.state, finished=self._ended(), interrupted=False)
        if self.state.finished:
            message = f"{self.checkpoint}: its schedule has ended; begin a new one with --restart-schedule"
            self.callbacks.on_message(message)
            return
        self.processes.from_first(self._check_space)
        with stop_signals() as stopped:
            self._loop(stopped)
        self._is_healthy()
        self.validate(counts=self.state.finished)  # where a run is interrupted must not change its result
        if self.early_stopping.over:
            self.state = replace(self.state, finished=True)
            best = self.state.best_step
            self.callbacks.on_message(
                f"step {self.state.step}: validation has been getting worse since step {best}; stopped"
            )

    @contextmanager
    def result(self) -> Iterator[TrainState]:
        """Put the resulting weights into the model, so that they can be written; then save the checkpoint.

        Yields the state with the figures and the step of these weights. If writing them fails, the checkpoint is still
        saved.

        Raises:
            AdairError: the checkpoint cannot be written; the previous one is kept.
        """
        earlier = bool(self.state.psnr) and mean_psnr(self.state.best) > mean_psnr(self.state.psnr)
        best = self.early_stopping.weights if earlier else {}
        state = replace(self.state, result_step=self.state.step)
        if best:
            state = replace(state, psnr=state.best, result_step=state.best_step)
        if not self.processes.first:
            yield state
            return
        try:
            with self.optimiser.averaged(best):
                yield state
        except Exception:
            self._try_to_save()
            raise
        self.save()

    def _loop(self, stopped: list[float]) -> None:
        settings = self.settings
        begun, before, start, saved = time.monotonic(), self.state.seconds, self.state.progress, 0.0
        limit, earlier = settings.max_minutes, 0.0
        if settings.minutes is not None:  # of the schedule, however many calls it takes
            limit, earlier, start = settings.minutes, before - self.state.origin_seconds, 0.0
        self._remember()
        while not self.state.finished:
            stop, elapsed = self.processes.agree(
                bool(stopped) or self.early_stopping.over, time.monotonic() - begun, self.device
            )
            spent = earlier + elapsed
            out_of_time = limit is not None and spent >= 60 * limit
            finished = out_of_time and settings.by_time
            self.state = replace(self.state, progress=self._progress(start, spent), finished=finished)
            if stop or out_of_time:
                signalled = stop and not finished and not self.early_stopping.over
                self.state = replace(self.state, interrupted=signalled)
                break
            self._step()
            self.state = replace(self.state, seconds=before + time.monotonic() - begun, finished=self._ended())
            due = elapsed - saved > 60 * settings.saving.minutes
            validation = self.state.step % settings.validate_steps == 0
            look = due or validation or self.state.finished or self.state.step % WINDOW == 0
            if look and not self._is_healthy():
                continue
            if validation:
                self.validate()
            if due:
                saved = elapsed
                self._try_to_save()
            self.callbacks.on_step(self.state)

    def _check_space(self) -> None:
        result = 2 * sum(parameter.numel() for parameter in self.optimiser.parameters.values())
        check_space(self.checkpoint, self._tensors(), self.settings.saving, result)

    def _ended(self) -> bool:
        """Whether the schedule has ended: by steps, or by time in an earlier call."""
        by_clock = self.settings.by_time and self.state.finished
        return by_clock or self.state.step - self.state.origin >= self.settings.steps

    def _progress(self, start: float, spent: float) -> float:
        """Return the progress after ``spent`` seconds of what began at progress ``start``."""
        limit = self.settings.max_minutes if self.settings.minutes is None else self.settings.minutes
        if self.settings.by_time and limit is not None:
            return min(1.0, start + (1 - start) * spent / (60 * limit))
        return (self.state.step - self.state.origin) / self.settings.steps

    def _step(self) -> None:
        """Take one optimiser step, without waiting for the device."""
        settings, state = self.settings, self.state
        target, degraded = self.batches.make(state.step, settings.patch(state.progress))
        loss = settings.objective.loss(self.restore(degraded), target) * (len(target) / settings.batch)
        self.optimiser.forget_gradients()
        loss.backward()
        loss = loss.detach()
        parameters = self.optimiser.parameters.values()
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self.processes.add_up([*gradients, loss])
        norm = nn.utils.clip_grad_norm_(parameters, settings.clip)
        self.loss_monitor.record(loss, norm)
        rate = state.slowdown * settings.schedule.rate(state.step - state.origin, state.progress)
        self.optimiser.update(rate, state.step + 1)
        self.state = replace(state, rate=rate, step=state.step + 1)

    def restore(self, degraded: Tensor) -> Tensor:
        """Restore patches in the precision of the settings."""
        precision = self.settings.precision
        with torch.autocast(self.device.type, precision, enabled=precision != torch.float32):
            return self.forward(degraded).float()

    def validate(self, counts: bool = True) -> None:
        """Measure the averaged weights on the validation sets, and store the result in the state.

        Args:
            counts: whether early stopping takes it into account.
        """
        if self.processes.first:
            with self.optimiser.averaged():
                restored, before = evaluate(self.validation_sets, self.restore)
            self.state = replace(self.state, psnr=restored, input_psnr=before)
            if counts:
                self.state = self.early_stopping.update(self.state)

    def _is_healthy(self) -> bool:
        """Check the loss; after divergence, go back to the last good state with half the learning rate.

        Raises:
            AdairError: that has been tried too often.
        """
        fault = self.loss_monitor.check()
        state = self.state = replace(self.state, loss=self.loss_monitor.loss)
        if fault is None:
            if self.loss_monitor.healthy:
                self._remember()
            return True
        if state.slowdown <= SLOWEST:
            raise AdairError(
                f"{fault} at step {state.step}, with {state.slowdown:g} of the learning rate "
                f"{self.settings.schedule.peak:g}; lower --learning-rate and --resume from {self.checkpoint}"
            )
        tensors, good = self._good
        slowdown = state.slowdown / 2
        self.state = replace(state, step=good.step, loss=good.loss, psnr=good.psnr, slowdown=slowdown, finished=False)
        self.optimiser.load(tensors, good.step)
        self.loss_monitor.reset()
        message = f"step {state.step}: {fault}; back to step {good.step} with {slowdown:g} of the learning rate"
        self.callbacks.on_message(message)
        return False

    def _remember(self) -> None:
        """Keep a copy of the weights, and the state, to go back to."""
        self._good = ({name: tensor.clone() for name, tensor in self.optimiser.tensors().items()}, self.state)

    def _try_to_save(self) -> None:
        """Write the checkpoint; a failure is reported, but does not end the run, since the next attempt may succeed."""
        if self.processes.first:
            try:
                self.save()
            except AdairError as error:
                self.callbacks.on_message(str(error))


def channels_last(model: nn.Module) -> nn.Module:
    """Return ``model`` in channels-last memory layout, which the convolution libraries prefer."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
