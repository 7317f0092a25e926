"""`moneyback memo`: the credit memo that a Magento shop would make, of one order or of a file of cases."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import CommandError, Exit
from cli.output import AsJson, emit_json, emit_line, emit_record, emit_table, say

if TYPE_CHECKING:
    from refunds.domain.memo.case import Answer  # only this command pays for the rules

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

MOST_LINE_BYTES = 4 << 20
"""Longest case taken, and longest order."""


def command(
    file: Annotated[
        Path | None,
        typer.Argument(
            allow_dash=True, help="An order with what is asked for, as a JSON document; - is stdin."
        ),
    ] = None,
    *,
    cases: Annotated[
        Path | None, typer.Option(allow_dash=True, help="A file of cases, one a line; - is stdin.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare each case with its result; exit 1 on any difference.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Compute the credit memo that a Magento shop would make; nothing is sent and nothing kept.

    FILE holds `order`, `items` and `input` in the form of a case. With --cases every line is answered by a
    line of JSON: case_id, ok, and creditmemo or error. Cases with `via` are Magento 2's, others Magento 1's.
    """
    if (file is None) is (cases is None):
        raise typer.BadParameter("name one FILE, or --cases FILE", param_hint="FILE")
    if cases is not None:
        return _answer_cases(cases, check=check)
    if check:
        raise typer.BadParameter("goes with --cases", param_hint="--check")
    assert file is not None  # noqa: S101 - the first line of this function
    return _answer_one(file, as_json=as_json)


def _answer_one(file: Path, *, as_json: bool) -> int:
    from refunds.domain.memo.case import answer
    from refunds.domain.memo.reading import CaseError

    raw = next(_lines(file, whole=True), b"")
    try:
        ours = answer(_document(raw, str(file)))
    except CaseError as error:
        raise CommandError(Exit.USAGE, f"{file}: {error}") from error
    if as_json:
        emit_json(ours.document())
    elif ours.refused is None:
        _show(ours)
    if ours.refused is not None:
        say(f"{ours.refused.reasons[0].value}: {ours.refused.message}")
        return Exit.REFUSED
    return Exit.OK


def _answer_cases(file: Path, *, check: bool) -> int:
    """Every line is answered, so that answers stand beside their cases; one that is no case fails the run."""
    from refunds.domain.memo.case import answer, differences
    from refunds.domain.memo.reading import CaseError

    equal = judged = 0
    unusable = False
    for number, raw in enumerate(_lines(file), 1):
        if not raw.strip():
            continue
        where = f"{file}, line {number}"
        judged += 1
        case: dict[str, Any] = {}
        try:
            case = _document(raw, where)
            ours = answer(case)
            found = differences(case, ours) if check else []
        except (CaseError, CommandError) as error:
            unusable = True
            problem = f"{where}: {error}" if isinstance(error, CaseError) else str(error)
            emit_line(json.dumps({"case_id": case.get("case_id"), "ok": False, "error": problem}))
            say(problem)
            continue
        emit_line(json.dumps({"case_id": case.get("case_id"), **ours.document()}))
        equal += not found
        for line in found:
            say(f"{case.get('case_id') or where}: {line}")
    if check:
        say(f"{equal} of {judged} equal")
    if unusable:
        return Exit.USAGE
    return Exit.OK if equal == judged or not check else Exit.FAILED


def _lines(file: Path, *, whole: bool = False) -> Iterator[bytes]:
    """Lines of a file or of stdin, one in memory at a time; the whole of it as one."""
    try:
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with stream:
            read = stream.read if whole else stream.readline
            number = 0
            while raw := read(MOST_LINE_BYTES + 1):
                number += 1
                if len(raw) > MOST_LINE_BYTES:
                    where = f"{file}" if whole else f"{file}, line {number}"
                    raise CommandError(Exit.USAGE, f"{where}: is longer than {MOST_LINE_BYTES} bytes")
                yield raw
    except OSError as error:
        raise CommandError(Exit.USAGE, f"{file} cannot be read: {error.strerror}") from error


def _document(raw: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CommandError(Exit.USAGE, f"{where}: is not a JSON document: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(Exit.USAGE, f"{where}: is not a JSON object")
    return document


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _show(ours: "Answer") -> None:
    memo = dict(ours.creditmemo or {})
    items = memo.pop("items")
    memo.pop("comments")
    emit_record([(name, str(value)) for name, value in memo.items() if value is not None])
    emit_line("")
    names = list(items[0]) if items else ["line", "qty"]
    emit_table(names, [["" if item[name] is None else str(item[name]) for name in names] for item in items])
