"""``adair tasks``: the bundled tasks with their measured figures."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def tasks(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything in the files.")] = False,
) -> None:
    """List the tasks that ship with adair: what they do, their size, and their measured figures."""
    from adair.cli.show import print_facts, print_json, print_table, size
    from adair.tasks import TASKS
    from adair.weights import bundled_adapters, bundled_foundation, read_header
    from adair.weights.cards import describe_weights, figures_line

    foundation = describe_weights(read_header(bundled_foundation()))
    listed: list[dict[str, Any]] = []
    for name, path in bundled_adapters().items():
        known = TASKS.get(name)
        about: dict[str, Any] = (
            {"summary": known.summary, "aliases": list(known.aliases), "scales": list(known.scales)}
            if known
            else {"summary": None, "aliases": [], "scales": []}
        )
        listed.append({"task": name, **about, **describe_weights(read_header(path))})
    if as_json:
        print_json({"tasks": listed, "foundation": foundation})
        return

    rows = [
        (
            task["task"],
            task["summary"] or task.get("recipe", ""),
            f"{task['adapter']}, {task['parameters']:,} parameters, {size(task['bytes'])}",
            "\n".join(map(figures_line, task["measured"])),
        )
        for task in listed
    ]
    print_table(("task", "what it does", "adapter", "measured (input to restored)"), rows)
    print()
    print_facts(
        {
            "protocols": "adair tasks --json has that of every figure",  # two dozen long lines, which hid the table
            "foundation": f"{foundation['backbone']}, {foundation['parameters']:,} parameters, "
            f"{size(foundation['bytes'])}, fingerprint {str(foundation['fingerprint'])[:12]}",
            "use": "adair restore PHOTO --task TASK",
        }
    )
