"""`make guarantees`: every layer, a line a guarantee, and the JSON from which the page is written.

The layers run in processes of their own, two at a time where each keeps one core busy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.guarantees.crashes import run as crashes
from tests.guarantees.figures import Part
from tests.guarantees.machine import run as machine
from tests.guarantees.page import written
from tests.guarantees.planted import run as planted
from tests.guarantees.processes import run as processes
from tests.guarantees.simulation import run as simulation
from tests.guarantees.verdict import reach, verdicts

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "guarantees.json"
PAGE = ROOT / "docs" / "guarantees.md"

ROUNDS = ((("lives",), ("days", "crashes")), (("machine",), ("planted",)), (("processes",),))
"""Rounds one after the other; the chains of a round run beside each other, their jobs one after the other."""


def main() -> int:
    """0 if every guarantee holds, enough was seen, and every planted bug was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="default: a new one")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--job", help="run this part alone, and write what it found to --out")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--page", action="store_true", help="write docs/guarantees.json and the page")
    asked = parser.parse_args()
    if asked.job:
        return _run_job(asked.job, seed=asked.seed, quick=asked.quick, out=asked.out)
    began = time.monotonic()
    found = _run_all(seed=asked.seed, quick=asked.quick)
    result = _result(found, seed=asked.seed, quick=asked.quick, seconds=time.monotonic() - began)
    _tell(result)
    if asked.page:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        PAGE.write_text(written(result), "utf-8")
    elif asked.out:
        asked.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 0 if result["passed"] else 1


def _run_all(*, seed: int, quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"parts": [], "planted": [], "failed": []}
    with tempfile.TemporaryDirectory(prefix="moneyback-guarantees-") as folder:
        for chains in ROUNDS:
            with ThreadPoolExecutor(len(chains)) as threads:
                run = partial(_run_chain, Path(folder), seed=seed, quick=quick)
                for learned in [each for chain in threads.map(run, chains) for each in chain]:
                    found["parts"] += [Part(**part) for part in learned["parts"]]
                    found["planted"] += learned["planted"]
                    found["failed"] += learned["failed"]
    return found


def _run_chain(folder: Path, jobs: Sequence[str], *, seed: int, quick: bool) -> list[dict[str, Any]]:
    """Each job in a process of its own: one that dies takes no other with it."""
    learned: list[dict[str, Any]] = []
    for job in jobs:
        began, out = time.monotonic(), folder / f"{job}.json"
        command = [sys.executable, "-m", "tests.guarantees.run", "--job", job]
        command += ["--seed", str(seed), "--out", str(out), *(["--quick"] if quick else [])]
        ended = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        _say(f"-- {job}: ended with {ended.returncode} after {time.monotonic() - began:.0f} s")
        if out.exists():
            learned.append(json.loads(out.read_text("utf-8")))
        else:
            nothing = [f"{job} ended with {ended.returncode} and found nothing"]
            learned.append({"parts": [], "planted": [], "failed": nothing})
    return learned


def _run_job(job: str, *, seed: int, quick: bool, out: Path) -> int:
    learned: dict[str, Any] = {"parts": [], "planted": [], "failed": []}
    if job == "planted":
        caught = planted.run(seed=seed, quick=quick)
        learned["planted"] = [each.line for each in caught]
        learned["failed"] = [f"not caught: {each.line}" for each in caught if not each.caught]
    else:
        learned["parts"] = [asdict(part) for part in _JOBS[job](seed, quick)]
    out.write_text(json.dumps(learned), "utf-8")
    return 0


def _days(seed: int, quick: bool) -> list[Part]:
    """The scenarios of the simulation that are no lives of one account in trouble."""
    parts = [simulation.run(seed=seed, quick=quick, only=name) for name in ("G3", "G4", "G5", "G17", "G18")]
    return [part for some in parts for part in some]


_JOBS: Mapping[str, Callable[[int, bool], list[Part]]] = {
    "lives": lambda seed, quick: simulation.run(seed=seed, quick=quick, only="G2"),
    "days": _days,
    "crashes": lambda seed, quick: crashes.run(seed=seed, quick=quick),
    "machine": lambda seed, quick: machine.run(seed=seed, quick=quick),
    "processes": lambda seed, quick: processes.run(seed=seed, quick=quick),
}


def _result(found: dict[str, Any], *, seed: int, quick: bool, seconds: float) -> dict[str, Any]:
    judged = verdicts(found["parts"], quick=quick)
    missed = [*found["failed"], *reach(found["parts"], quick=quick)]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "run": "quick" if quick else "full",
        "seed": seed,
        "seconds": round(seconds),
        "passed": not missed and all(verdict.passed for verdict in judged),
        "guarantees": [{**asdict(each), "line": each.line, "passed": each.passed} for each in judged],
        "planted": found["planted"],
        "missed": missed,
    }


def _tell(result: dict[str, Any]) -> None:
    for line in _lines(result):
        _say(line)


def _lines(result: dict[str, Any]) -> Iterator[str]:
    for guarantee in result["guarantees"]:
        yield guarantee["line"]
        yield from (f"    {fault}" for fault in guarantee["faults"][:20])
    yield from (f"PLANTED {line}" for line in result["planted"])
    yield from (f"MISSED {line}" for line in result["missed"])
    held = sum(guarantee["passed"] for guarantee in result["guarantees"])
    yield f"{held} passed, {len(result['guarantees']) - held} failed"
    verdict = "PASS" if result["passed"] else "FAIL"
    yield f"{result['run']} run, seed {result['seed']}, {result['seconds']} s: {verdict}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
