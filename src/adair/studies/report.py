"""Reports of a study: its page with plots, and all of its jobs as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from adair.errors import AdairError
from adair.images.files import write_whole
from adair.studies.budget import BUDGETS
from adair.studies.page import MEANINGLESS, Page, Plot, as_markdown
from adair.studies.plots import FORMATS, drawn
from adair.studies.runner import in_order
from adair.studies.study import Results, Study
from adair.studies.verdict import Verdict
from adair.studies.workspace import FORMAT, Job, Result, Workspace, describe, identity

# Of a budget: what a call may set (--steps, --images, --seeds, --foundation); all else is as the code says.
DECIDED = (
    *("steps", "pretrain_steps", "pair_steps", "lengths", "scheme_pretraining", "scheme_steps", "images", "seeds"),
    *("foundation", "pretraining", "rank", "full", "equal_width"),
)
SIZES = ("steps", "images", "seeds")  # options of the command line


def write_page(study: Study, page: Page, results: Results, seed: int, path: Path | None, plots: Path | None) -> None:
    """Write a study's plots (PNG and SVG) into a folder, and its page to ``path``, if given.

    Raises:
        AdairError: matplotlib is missing for plots, or something cannot be written.
    """
    pictures = {}
    for part in page.parts:
        if plots is not None and isinstance(part, Plot):
            picture = plots / f"{study.name}-{part.name}.png"
            for kind in FORMATS:
                write_whole(picture.with_suffix(f".{kind}"), drawn(part, kind))
            pictures[part.name] = Path(os.path.relpath(picture, path.parent if path else plots)).as_posix()
    if path is not None:
        facts = _facts(study, results, seed)
        write_whole(path, as_markdown(page, facts, results.budget.meaningless, pictures).encode())


def write_json(path: Path, pages: Sequence[tuple[Study, Page]], results: Results, seed: int) -> None:
    """Write every job of some studies, with their verdicts, to a JSON file."""
    workspace, budget = results.workspace, results.budget
    studies = []
    for study, page in pages:
        jobs = [
            {
                "title": job.title,
                "key": workspace.key(job),
                "identity": identity(job),
                **asdict(results[job]),
                "needs": [workspace.key(need) for need in job.needs()],
                "cell": describe(job),
            }
            for job in in_order(study.jobs(budget, seed), workspace)
        ]
        verdicts = [asdict(verdict) for verdict in page.verdicts]
        studies.append({"study": study.name, "verdicts": verdicts, "protocol": page.protocol, "cells": jobs})
    note = {"note": MEANINGLESS.replace("*", "")} if budget.meaningless else {}
    whole = {
        **note,
        "format": FORMAT,
        "budget": asdict(budget),
        "seed": seed,
        "machine": workspace.machine,
        "studies": studies,
    }
    write_whole(path, (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode())


@dataclass(frozen=True)
class Recorded(Results):
    """The results of a JSON file that `write_json` wrote; a page can be made of them again, and its verdicts.

    Attributes:
        found: the results by the identity of their job.
    """

    found: Mapping[str, Result]

    def __getitem__(self, job: Job) -> Result:
        return self.found[identity(job)]


def read_json(path: Path, workspace: Workspace) -> dict[str, tuple[Recorded, list[Verdict]]]:
    """Return, for each study of a JSON file, its results and the verdicts that were written with them.

    Raises:
        AdairError: results of another format, or of a budget that the code does not have any more.
    """
    whole = json.loads(path.read_text(encoding="utf-8"))
    told = whole["budget"]
    decided = {name: told[name] for name in DECIDED if name in told}
    decided = {name: tuple(value) if isinstance(value, list) else value for name, value in decided.items()}
    budget = replace(BUDGETS[told["name"]], **decided)
    if whole["format"] != FORMAT or json.loads(json.dumps(asdict(budget))) != told:
        raise AdairError(f"{path}: is older than the code; run the study again, or remove it and its page")
    found = {}
    for study in whole["studies"]:
        results = {one["identity"]: Result(one["figures"], one["costs"], one["machine"]) for one in study["cells"]}
        found[study["study"]] = Recorded(workspace, budget, results), [Verdict(**one) for one in study["verdicts"]]
    return found


def _facts(study: Study, results: Results, seed: int) -> list[str]:
    """Return hardware, time, seeds and the command, as lines."""
    workspace, budget = results.workspace, results.budget
    jobs = in_order(study.jobs(budget, seed), workspace)
    found = [results[job] for job in jobs]
    minutes = sum(result.costs["worked"] for result in found) / 60
    machines = "; ".join(dict.fromkeys(result.machine for result in found))
    data = " --data DATA" if workspace.place.data else ""
    data += " --foundation FILE" if workspace.place.foundation else ""
    usual = BUDGETS[budget.name]
    size = [f" --{name} {getattr(budget, name)}" for name in SIZES if getattr(budget, name) != getattr(usual, name)]
    return [
        f"Photos: {len(workspace.photos)} for training; {len(workspace.held_out)} are held out and never trained on"
        + (f", {budget.validation} more are for choices." if budget.validation else "."),
        f"Budget {budget.name}: {budget.steps} steps per task, {budget.pretrain_steps} of pre-training, each with "
        f"{budget.batch} patches of {budget.patch}x{budget.patch}; learning rate {budget.rate:g} from scratch and "
        f"{budget.rate_on:g} on a foundation, unless it is chosen; first seed {seed}, {budget.seeds} in all.",
        f"{len(jobs)} jobs, {minutes:.1f} minutes of work on {machines}; {minutes / budget.seeds:.1f} for each seed. "
        "Jobs that studies share are counted in each.",
        f"To repeat it: `adair study {study.name} --budget {budget.name}{''.join(size)} --seed {seed} --photos PHOTOS"
        f"{data} -o RUNS --markdown PAGE --plots FOLDER`.",
    ]
