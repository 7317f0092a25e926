"""`make mutants`: change the rules of money and keys one by one, and see whether a test notices.

A seeded sample of each file's mutants (`--sample`, 0: all of them). Each mutant is run in a child of its own;
what no test killed is told, with the reason why it was accepted where there is one (survivors.py).
"""

import argparse
import ast
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.mutation.operators import Mutant, mutants_of
from tests.mutation.report import written
from tests.mutation.survivors import ACCEPTED
from tests.mutation.targets import TARGETS
from tests.mutation.trial import Trial, judge_all, warm_up
from tests.servers.postgres import GIVEN_URL, PostgresServer

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mutation.md"
TELL_EVERY = 25
ENOUGH = 0.9
"""So many of those on trial must be killed, in all and but for the accepted ones."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if enough were killed."""
    asked = _asked(arguments)
    if asked.join:
        PAGE.write_text(written(_joined([_read(path) for path in asked.join]), ACCEPTED), "utf-8")
        return 0
    os.nice(10)
    began = time.monotonic()
    members = _members(ROOT / "refunds" / "domain")
    chosen: dict[str, list[Mutant]] = {}
    made: Counter[str] = Counter()
    for path in TARGETS:
        if any(part in path for part in asked.only) or not asked.only:
            every = list(mutants_of(path, (ROOT / path).read_text("utf-8"), members))
            made[path] = len(every)
            chosen[path] = _sample(every, asked.sample, seed=asked.seed)
    before = _read(asked.again) if asked.again else None
    if before is not None:
        lived = set(before["survivors"])
        chosen = {path: [each for each in some if each.name in lived] for path, some in chosen.items()}
    trials = [Trial(mutant, TARGETS[path]) for path, some in chosen.items() for mutant in some]
    _say(f"{len(trials)} of {sum(made.values())} mutants, seed {asked.seed}")
    warm_up()
    with PostgresServer() as server:
        os.environ[GIVEN_URL] = server.dsn("postgres")
        for control in _controls([path for path, some in chosen.items() if some], asked):
            if control.fate != "survived":
                _say(f"{control.mutant.path} does not pass its tests unchanged: {control.fate}")
                return 2
        judge_all(trials, at_once=asked.at_once, limit_seconds=asked.limit, told=_Teller(len(trials)).tell)
    result = _result(trials, made, seed=asked.seed, seconds=time.monotonic() - began)
    if before is not None:
        result = _after_all(before, result)
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if asked.page:
        PAGE.write_text(written(result, ACCEPTED), "utf-8")
    killed, on_trial = (sum(row[name] for row in result["files"].values()) for name in ("killed", "on trial"))
    _say(f"{killed} of {on_trial} killed in {result['seconds']} s")
    return 0 if killed >= ENOUGH * on_trial else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=60, help="mutants of each file; 0: all")
    parser.add_argument("--only", action="append", default=[], help="part of a path; may be repeated")
    parser.add_argument(
        "--again", type=Path, help="only what survived in this result (--out of a run before)"
    )
    parser.add_argument(
        "--join", type=Path, action="append", help="no run: write docs/mutation.md from such results"
    )
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--limit", type=float, default=90.0, help="seconds for one stage of one mutant")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", action="store_true", help="write docs/mutation.md")
    return parser.parse_args(arguments)


def _controls(paths: Sequence[str], asked: argparse.Namespace) -> list[Trial]:
    """Every file unchanged, tried as its mutants are: tests that fail of themselves kill nothing."""
    unchanged = [
        Trial(Mutant(path, 0, "module", "unchanged", (ROOT / path).read_text("utf-8")), TARGETS[path])
        for path in paths
    ]
    judge_all(unchanged, at_once=asked.at_once, limit_seconds=asked.limit, told=lambda _: None)
    return unchanged


def _sample(every: Sequence[Mutant], size: int, *, seed: int) -> list[Mutant]:
    if not size or size >= len(every):
        return list(every)
    return random.Random(f"{seed} {every[0].path}").sample(list(every), size)


def _members(folder: Path) -> dict[str, list[str]]:
    """Members of the enums of the domain, read from their source."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "StrEnum" for base in node.bases):
                found[node.name] = [
                    line.targets[0].id
                    for line in node.body
                    if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
                ]
    return found


def _result(trials: Sequence[Trial], made: Mapping[str, int], *, seed: int, seconds: float) -> dict[str, Any]:
    files: dict[str, dict[str, int]] = {}
    for path, number in made.items():
        fates = Counter(trial.fate for trial in trials if trial.mutant.path == path)
        files[path] = {
            "made": number,
            "on trial": fates.total(),
            "killed": fates["killed"] + fates["killed by time"],
            "by time": fates["killed by time"],
            "survived": fates["survived"],
            "broken": fates["broken"],
        }
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "seconds": round(seconds),
        "files": files,
        "survivors": [trial.mutant.name for trial in trials if trial.fate == "survived"],
    }


def _after_all(before: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """A result in which what had survived was tried again, on tests that have been written since."""
    files = {path: dict(row) for path, row in before["files"].items()}
    for path, row in again["files"].items():
        for name in ("killed", "by time"):
            files[path][name] += row[name]
        files[path]["survived"] -= row["killed"]
    seconds = before["seconds"] + again["seconds"]
    return {**again, "files": files, "seconds": seconds, "seed": before["seed"]}


def _joined(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Results of runs over different files as one."""
    files = {path: row for result in results for path, row in result["files"].items()}
    survivors = [name for result in results for name in result["survivors"]]
    seconds = sum(result["seconds"] for result in results)
    return {**results[-1], "files": files, "survivors": survivors, "seconds": seconds}


def _read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result


@dataclass(slots=True)
class _Teller:
    """Tells every fate but `killed`, and how far the run has come."""

    trials: int
    _done: int = 0

    def tell(self, trial: Trial) -> None:
        """One more has its fate."""
        self._done += 1
        if trial.fate != "killed":
            reason = ACCEPTED.get(trial.mutant.name)
            known = f" (accepted: {reason})" if reason else ""
            _say(f"{trial.fate}: {trial.mutant.name} [line {trial.mutant.line}]{known}")
        if self._done % TELL_EVERY == 0:
            _say(f"-- {self._done} of {self.trials}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
