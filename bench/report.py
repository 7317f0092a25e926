"""Plain tables of what was measured."""

from collections.abc import Sequence
from typing import Any

Result = dict[str, Any]


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A title and columns as wide as they need."""
    texts = [[_text(value) for value in row] for row in rows]
    widths = [max(len(line[n]) for line in [list(heads), *texts]) for n in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) if n < 1 else cell.rjust(width) for n, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in [list(heads), *texts])
    ]
    return "\n".join([title, "-" * len(title), *lines, ""])


def drains(results: Sequence[Result]) -> str:
    """One line a cell, and moneyback's ratio to the actor of the same cell."""
    heads = ["cell", "refunds/s", "x actor", "worker CPU s/1k", "db CPU s/1k", "gateway CPU s/1k"]
    heads += ["CPU x less", "worker MB", "foreign cores"]
    actors = {result["against"]: result for result in results if result["subject"] == "actor"}
    rows = []
    for result in results:
        actor = actors.get(result["against"])
        versus = ["", ""]
        if actor is not None and actor is not result:
            versus = [
                f"{result['per_second'] / actor['per_second']:.2f}",
                f"{actor['cpu'] / result['cpu']:.2f}",
            ]
        figures = [result["worker_cpu"], result["database_cpu"], result["gateway_cpu"]]
        rows.append(
            [
                *(result["cell"], round(result["per_second"]), versus[0], *figures, versus[1]),
                *(round(result["worker_mb"]), result["foreign_cores"]),
            ],
        )
    return table("From claim to settled (CPU in seconds for 1,000 refunds)", heads, rows)


def _text(value: object) -> str:
    return (
        f"{value:.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )
