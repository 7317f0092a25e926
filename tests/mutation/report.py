"""The page docs/mutation.md, written from what a run found."""

from collections.abc import Iterator, Mapping
from typing import Any


def written(result: Mapping[str, Any], accepted: Mapping[str, str]) -> str:
    """The page, as Markdown."""
    return "\n".join(_lines(result, accepted)) + "\n"


def _lines(result: Mapping[str, Any], accepted: Mapping[str, str]) -> Iterator[str]:
    files: Mapping[str, Mapping[str, int]] = result["files"]
    total = {name: sum(row[name] for row in files.values()) for name in next(iter(files.values()))}
    yield from _HEAD.format(
        date=result["date"],
        seed=result["seed"],
        minutes=round(result["seconds"] / 60),
        on_trial=total["on trial"],
        made=total["made"],
        killed=total["killed"],
        share=f"{100 * total['killed'] / total['on trial']:.1f}",
    ).splitlines()
    yield "| file | mutants | on trial | killed | of these by time | survived |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for path, row in (*files.items(), ("all", total)):
        numbers = " | ".join(str(row[name]) for name in ("made", "on trial", "killed", "by time", "survived"))
        yield f"| {path if path == 'all' else f'`{path}`'} | {numbers} |"
    yield ""
    yield "## Survivors"
    yield ""
    if not result["survivors"]:
        yield "None."
        return
    yield "| mutant | why it may live |"
    yield "| --- | --- |"
    for name in result["survivors"]:
        yield f"| `{name.replace('|', '/')}` | {accepted.get(name, 'not yet looked into')} |"


_HEAD = """# Mutation testing

Tests that never fail prove nothing. `make mutants` changes the rules of money, statuses and keys in one
small place at a time (a mutant), runs the tests on it, and counts how many of the changes are noticed
(killed). It is run by hand, not in CI, and writes this page.

Run of {date}, seed {seed}, {minutes} minutes: **{killed} of {on_trial} mutants killed, {share} %**. Where
fewer are on trial than a file has, they are a seeded sample.

What is changed: comparisons (swapped, shifted by one), `and` and `or`, negations, numbers (± 1), true and
false, arithmetic, members of enums, statements left out, filters left out; in SQL text: conditions dropped,
comparisons shifted, assignments left out, numbers, nulls and statuses. Left alone: log lines, docstrings,
annotations, messages for people. A child that runs over its time limit counts as killed. Before anything is
counted each file is tried unchanged, and has to pass.

Why a runner of its own (`tests/mutation`): mutmut 3 changes function bodies alone, but here most rules are
tables and SQL texts at module level; cosmic-ray starts a new process for every mutant and knows no SQL. The
runner forks from a warm parent and gives the child the changed module at its import: no file is touched.

"""
