"""`make guarantees`: every layer, a line a guarantee, and the JSON from which the page is written.

The layers run in processes of their own, two at a time where each keeps one core busy.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.guarantees.figures import Part
from tests.guarantees.page import written
from tests.guarantees.verdict import reach, verdicts

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "guarantees.json"
PAGE = ROOT / "docs" / "guarantees.md"

ROUNDS = (("simulation", "crashes"), ("machine", "planted"), ("processes",))
"""Layers that run beside each other."""


def main() -> int:
    """0 if every guarantee holds, enough was seen, and every planted bug was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="default: a new one")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--layer", help="run this layer alone, and write what it found to --out")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--page", action="store_true", help="write docs/guarantees.json and the page")
    asked = parser.parse_args()
    if asked.layer:
        return _run_layer(asked.layer, seed=asked.seed, quick=asked.quick, out=asked.out)
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
        for layers in ROUNDS:
            began = time.monotonic()
            outs = {layer: Path(folder) / f"{layer}.json" for layer in layers}
            running = {layer: _start(layer, out, seed=seed, quick=quick) for layer, out in outs.items()}
            for layer, process in running.items():
                code = process.wait()
                took = time.monotonic() - began
                _say(f"-- {layer}: ended with {code} after {took:.0f} s")
                if not outs[layer].exists():
                    found["failed"].append(f"layer {layer} ended with {code} and found nothing")
                    continue
                learned = json.loads(outs[layer].read_text("utf-8"))
                found["parts"] += [Part(**part) for part in learned["parts"]]
                found["planted"] += learned["planted"]
                found["failed"] += learned["failed"]
    return found


def _start(layer: str, out: Path, *, seed: int, quick: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.guarantees.run", "--layer", layer]
    command += ["--seed", str(seed), "--out", str(out), *(["--quick"] if quick else [])]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _run_layer(layer: str, *, seed: int, quick: bool, out: Path) -> int:
    run = importlib.import_module(f"tests.guarantees.{layer}.run").run
    learned: dict[str, Any] = {"parts": [], "planted": [], "failed": []}
    if layer == "planted":
        caught = run(seed=seed, quick=quick)
        learned["planted"] = [each.line for each in caught]
        learned["failed"] = [f"not caught: {each.line}" for each in caught if not each.caught]
    else:
        parts: Sequence[Part] = run(seed=seed, quick=quick)
        learned["parts"] = [asdict(part) for part in parts]
    out.write_text(json.dumps(learned), "utf-8")
    return 0


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
