"""The training loop, one for foundations and adapters: patches of photos, a lesson to learn, averaged weights."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adair.errors import AdairError
from adair.train.batches import Batches
from adair.train.checkpoint import check_space, load_checkpoint, save_checkpoint
from adair.train.compute import compiled
from adair.train.early import Best
from adair.train.exam import Exam, take_exam
from adair.train.health import WINDOW, Health
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report
from adair.train.processes import Processes
from adair.train.state import State
from adair.train.stop import stop_signals

SLOWEST = 1 / 16  # of the learning rate: what is left when a run has diverged too often

PINNED = (  # settings that decide what a step learns from, and how: a resumed run ends as an uninterrupted one would
    ("", "seed"),
    ("data", "recipe"),
    ("data", "exclude"),
    ("data", "texture"),
    ("data", "shrink"),
    ("optimiser", "name"),
    ("optimiser", "batch"),
    ("optimiser", "patch"),
    ("optimiser", "weight_decay"),
    ("optimiser", "clip"),
    ("optimiser", "average_steps"),
)


class Trainer:
    """Trains some parameters of a model, and keeps a moving average of them, which is the result.

    Args:
        forward: maps degraded patches (N, 3, H, W) to restored ones.
        parameters: what is trained, by name; all on one device, in float32.
        plan: what to do.
        photos: what to train on: clean photos for a recipe, or what the plan's lesson needs.
        exam: named validation sets, each (clean, degraded) on the parameters' device.
        checkpoint: file to save to and resume from.
        facts: what a checkpoint must agree on to be resumed (backbone, adapter kind, foundation).
        watch: called with the report after every step; it may draw a progress bar.
        tell: called with one line when something happens that a person should know.
        processes: those that train together, all with the same arguments.
        record: the configuration, kept in the checkpoint; what a step learns from (`PINNED`) must be the same when
            a run is resumed, unless it begins a new schedule.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        parameters: Mapping[str, nn.Parameter],
        plan: Plan,
        photos: PhotoStore,
        exam: Exam,
        checkpoint: Path,
        facts: Mapping[str, Any],
        watch: Callable[[Report], None] = lambda report: None,
        tell: Callable[[str], None] = lambda line: None,
        processes: Processes | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self.forward, self.plan, self.exam, self.checkpoint = compiled(forward, plan.compile), plan, exam, checkpoint
        self.watch, self.tell, self.processes = watch, tell, processes or Processes()
        self.facts = json.loads(json.dumps(facts))  # as a checkpoint gives them back: lists, not tuples
        self.record = json.loads(json.dumps(record or {}))
        self.state = State(parameters, plan.weight_decay, plan.average, plan.optimiser == "muon", plan.precision)
        self.device = self.state.device
        if plan.batch < self.processes.count:
            raise AdairError(f"batch {plan.batch} leaves some of {self.processes.count} processes without a patch")
        share = (self.processes.rank, self.processes.count)
        self.batches = Batches(
            photos, plan.recipe, plan.batch, plan.seed, self.device, share, plan.texture, plan.shrink
        )
        self.health = Health(self.device)
        self.best = Best(self.state.average, plan.patience)
        self.report = Report()

    def resume(self, restart: bool = False) -> None:
        """Go on from the checkpoint.

        Args:
            restart: begin a new schedule there, with a learning rate that rises again and falls to the new end.

        Raises:
            AdairError: if there is none, or it belongs to another model.
        """
        self.report = self.processes.from_first(lambda: self._load(restart))
        self.processes.copy_from_first(list(self.state.tensors().values()))
        self.state.set_step(self.report.step)  # of all processes
        if restart:
            self.report.origin, self.report.progress, self.report.slowdown = self.report.step, 0.0, 1.0
        self.report.finished = self.report.finished and not restart

    def _load(self, restart: bool) -> Report:
        tensors, facts = load_checkpoint(self.checkpoint, self.device)
        if not restart:
            self._check_record(facts.get("train_config") or {})
        for key, value in self.facts.items():
            if facts.get(key) != value:
                raise AdairError(f"{self.checkpoint}: was trained with {key} {facts.get(key)}, not {value}")
        self.state.load(tensors, facts["step"])
        self.best.load(tensors)
        known = {field.name for field in dataclasses.fields(Report)}
        return Report(**{key: value for key, value in facts.items() if key in known})

    def _check_record(self, before: Mapping[str, Any]) -> None:
        """Refuse a configuration under which steps learn from something else; old checkpoints have no record."""
        for section, key in PINNED if before and self.record else ():
            one, other = (
                (record if not section else record.get(section, {})).get(key) for record in (before, self.record)
            )
            if one != other:
                name = f"{section}.{key}" if section else key
                raise AdairError(
                    f"{self.checkpoint}: was trained with {name} {_words(one)}, not {_words(other)}; give the same to "
                    "--resume, or begin a new schedule with --restart-schedule"
                )

    def save(self) -> None:
        """Write the checkpoint."""
        facts = {**self.facts, **vars(self.report), "recipe": str(self.plan.recipe), "train_config": self.record}
        save_checkpoint(self.checkpoint, self._tensors(), facts, self.plan.saving)

    def _tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds."""
        return self.state.tensors(self.plan.saving.compact) | self.best.tensors()

    def run(self, write: Callable[[Report], None] = lambda report: None) -> Report:
        """Train until the steps or the minutes are over, or a signal asks to stop; return the last report.

        Args:
            write: writes the result; called at the end, in the first process, with the averaged weights in the model.

        Raises:
            AdairError: if there is no room for the checkpoint, if training diverges again and again, or if the last
                checkpoint cannot be written; the one before is then still there, and so is the result.
        """
        self.report.finished = self._ended()
        with stop_signals() as stopped:
            if self.report.finished:
                self.tell(f"{self.checkpoint}: its schedule has ended; begin another with --restart-schedule")
            else:
                self.processes.from_first(self._check_space)
                self._train(stopped)
            if self.processes.first:
                try:
                    with self.state.averaged(self.best.weights):
                        write(self._result())
                except Exception:
                    self._save_or_tell()
                    raise
                self.save()
        return self._result()

    def _train(self, stopped: list[float]) -> None:
        plan, report = self.plan, self.report
        begun, before, start, saved = time.monotonic(), report.seconds, report.progress, 0.0
        self._remember()
        while not report.finished:
            stop, elapsed = self.processes.agree(bool(stopped) or self.best.over, time.monotonic() - begun, self.device)
            report.progress = self._progress(start, elapsed)
            out_of_time = plan.max_minutes is not None and elapsed >= 60 * plan.max_minutes
            report.finished = out_of_time and plan.by_time
            if stop or out_of_time:
                break
            self._step()
            report.seconds = before + time.monotonic() - begun
            report.finished = self._ended()
            due = elapsed - saved > 60 * plan.saving.minutes
            validation = report.step % plan.validate_steps == 0
            if (due or validation or report.finished or report.step % WINDOW == 0) and not self._healthy():
                continue
            if validation:
                self.validate()
            if due:
                saved = elapsed
                self._save_or_tell()
            self.watch(report)
        self._healthy()
        self.validate()
        if self.best.over:
            report.finished = True
            self.tell(f"step {report.step}: it has been getting worse since step {report.best_step}; stopped there")

    def _result(self) -> Report:
        """The report, with the results of the weights that are the result."""
        return dataclasses.replace(self.report, psnr=self.report.best) if self.best.weights else self.report

    def _check_space(self) -> None:
        saving, tensors = self.plan.saving, self._tensors()
        result = 2 * sum(parameter.numel() for parameter in self.state.parameters.values())
        check_space(self.checkpoint, tensors, saving, result)

    def _ended(self) -> bool:
        """Whether the schedule has come to its end: by steps, or by a clock that has run out in an earlier call."""
        by_clock = self.plan.by_time and self.report.finished
        return by_clock or self.report.step - self.report.origin >= self.plan.steps

    def _progress(self, start: float, elapsed: float) -> float:
        if self.plan.by_time and self.plan.max_minutes:
            return min(1.0, start + (1 - start) * elapsed / (60 * self.plan.max_minutes))
        return (self.report.step - self.report.origin) / self.plan.steps

    def _step(self) -> None:
        """Take one optimiser step, without waiting for the device."""
        plan, report = self.plan, self.report
        target, degraded = self.batches.make(report.step, plan.patch(report.progress))
        loss = self.batches.lesson.loss(self.restore(degraded), target) * (len(target) / plan.batch)
        self.state.forget_gradients()
        loss.backward()
        loss = loss.detach()
        gradients = [parameter.grad for parameter in self.state.parameters.values() if parameter.grad is not None]
        self.processes.add_up([*gradients, loss])
        norm = nn.utils.clip_grad_norm_(self.state.parameters.values(), plan.clip)
        self.health.add(loss, norm)
        report.rate = report.slowdown * plan.schedule.rate(report.step - report.origin, report.progress)
        report.step += 1
        self.state.update(report.rate, report.step)

    def restore(self, degraded: Tensor) -> Tensor:
        """Restore patches in the precision of the plan."""
        precision = self.plan.precision
        with torch.autocast(self.device.type, precision, enabled=precision != torch.float32):
            return self.forward(degraded).float()

    def validate(self) -> None:
        """Measure the averaged weights on the exam and put the result into the report."""
        if self.processes.first:
            with self.state.averaged():
                self.report.psnr, self.report.input_psnr = take_exam(self.exam, self.restore)
            self.best.note(self.report)

    def _healthy(self) -> bool:
        """Look at the loss; if it is out of hand go back to the last good state with half the learning rate.

        Raises:
            AdairError: if that has been tried too often.
        """
        fault = self.health.look()
        self.report.loss = self.health.loss
        if fault is None:
            if self.health.good:
                self._remember()
            return True
        at, report = self.report.step, self.report
        if report.slowdown <= SLOWEST:
            raise AdairError(
                f"{fault} at step {at}, with {report.slowdown:g} of the learning rate {self.plan.schedule.peak:g}; "
                f"lower --learning-rate and go on with --resume from {self.checkpoint}"
            )
        tensors, good = self._good
        report.step, report.loss, report.psnr = good.step, good.loss, good.psnr
        report.slowdown, report.finished = report.slowdown / 2, False
        self.state.load(tensors, good.step)
        self.health.forget()
        self.tell(f"step {at}: {fault}; back to step {report.step} with {report.slowdown:g} of the learning rate")
        return False

    def _remember(self) -> None:
        """Keep a copy of the state to go back to."""
        tensors = {name: tensor.clone() for name, tensor in self.state.tensors().items()}
        self._good = (tensors, dataclasses.replace(self.report))

    def _save_or_tell(self) -> None:
        """Write the checkpoint; a failure is told and does not end the run, which may have better luck next time."""
        if self.processes.first:
            try:
                self.save()
            except AdairError as error:
                self.tell(str(error))


def _words(value: Any) -> str:
    return "(default)" if value is None else str(value)


def channels_last(model: nn.Module) -> nn.Module:
    """Return ``model`` with a pixel's channels side by side in memory, as the convolution libraries like it."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
