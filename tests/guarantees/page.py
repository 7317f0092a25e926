"""The published page, written from the JSON of a run and never by hand."""

from collections.abc import Iterator
from typing import Any

_HEAD = """# Guarantees

Written by `make guarantees` from the JSON of its run; a test compares this page with that file.
What has not run says so. Zero failures in N trials bounds the true rate below 3/N with 95 % confidence.
"""


def written(result: dict[str, Any]) -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_summary(result), *_table(result), *_split(result), *_planted(result)]) + "\n"


def _summary(result: dict[str, Any]) -> Iterator[str]:
    minutes = f"{result['seconds'] / 60:.0f} minutes"
    ended = "all of it passed" if result["passed"] else "it did NOT pass"
    yield f"Last run: {result['date']}, {result['run']}, seed {result['seed']}, {minutes}: {ended}."
    yield ""
    yield from (f"- missed: {line}" for line in result["missed"])


def _table(result: dict[str, Any]) -> Iterator[str]:
    yield "| | promise | figure | verdict |"
    yield "| --- | --- | --- | --- |"
    for each in result["guarantees"]:
        figure = ", ".join(f"{number:,} {name}" for name, number in each["counts"].items()) or "not yet run"
        yield f"| {each['name']} | **{each['title']}**: {each['says']} | {figure} | {_word(each)} |"
    yield ""


def _split(result: dict[str, Any]) -> Iterator[str]:
    yield "## By layer"
    yield ""
    yield "- Simulation: one thread, virtual clock, scripted outside, real flow and database."
    yield "- Crashes: a process dies at every operation outside, before it and after it."
    yield "- Machine: Hypothesis looks for the shortest way to break a rule."
    yield "- Processes: PostgreSQL, Valkey, web, workers, schedulers, mail sink and sandbox are killed,"
    yield "  frozen, stopped, flushed and cut off from each other."
    yield ""
    for each in result["guarantees"]:
        for layer, counts in each["by_layer"].items():
            figure = ", ".join(f"{number:,} {name}" for name, number in counts.items())
            yield f"- {each['name']}, {layer}: {figure}"
    yield ""


def _planted(result: dict[str, Any]) -> Iterator[str]:
    yield "## Planted bugs"
    yield ""
    yield "Each was planted alone, and has to be caught by the guarantee that owns it."
    yield ""
    yield from (f"- {line}" for line in result["planted"] or ["not yet run"])


def _word(guarantee: dict[str, Any]) -> str:
    return "pass" if guarantee["passed"] else "FAIL"
