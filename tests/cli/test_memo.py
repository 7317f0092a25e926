"""`memo`: one memo for a person or a program, a line of JSON a case, and the check of the shop's answers."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.memo import MOST_LINE_BYTES
from tests.cli.stage import Stage
from tests.command import COMMAND

EXCERPT = Path(__file__).parents[1] / "domain" / "memo" / "excerpt.jsonl"
_COUNTS = {"creditmemo_cases_sample.jsonl": 34, "creditmemo_cases_m2_sample.jsonl": 30}


def _cases() -> list[dict[str, Any]]:
    return [json.loads(line) for line in EXCERPT.read_text(encoding="utf-8").splitlines()]


def _one(case_id: str) -> dict[str, Any]:
    return next(case for case in _cases() if case["case_id"] == case_id)


def _write(path: Path, cases: list[Any]) -> str:
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return str(path)


def test_every_case_is_answered_by_one_line_of_json(fresh: Stage) -> None:
    done = fresh.run("memo", "--cases", str(EXCERPT))
    assert (done.exit_code, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for case, answer in zip(_cases(), answers, strict=True):
        assert answer["case_id"] == case["case_id"]
        assert answer["ok"] is case["result"]["ok"]
        if answer["ok"]:
            assert answer.keys() == {"case_id", "ok", "creditmemo"}
            assert answer["creditmemo"].keys() == case["result"]["creditmemo"].keys()
        else:
            assert answer.keys() == {"case_id", "ok", "error", "reason"}
            assert isinstance(answer["error"], str)


def test_the_check_ends_with_how_many_are_equal(fresh: Stage) -> None:
    done = fresh.run("memo", "--cases", str(EXCERPT), "--check")
    assert (done.exit_code, done.stderr) == (0, "17 of 17 equal\n")


@pytest.mark.shared
@pytest.mark.parametrize("name", _COUNTS)
def test_the_shared_cases_are_all_equal(fresh: Stage, shared_folder: Path, name: str) -> None:
    done = fresh.run("memo", "--cases", str(shared_folder / "data" / name), "--check")
    assert (done.exit_code, done.stderr) == (0, f"{_COUNTS[name]} of {_COUNTS[name]} equal\n")


def test_a_difference_is_listed_by_its_field_and_fails_the_check(fresh: Stage, tmp_path: Path) -> None:
    cases = _cases()
    wrong = next(case for case in cases if case["case_id"] == "SR007-1")
    wrong["result"]["creditmemo"]["base_tax_amount"] = "99.0000"
    path = _write(tmp_path / "cases.jsonl", cases)
    done = fresh.run("memo", "--cases", path, "--check")
    assert done.exit_code == 1
    [difference, last] = done.stderr.splitlines()
    assert difference.startswith("SR007-1: base_tax_amount: 99.0000, ours ")
    assert last == "16 of 17 equal"
    assert fresh.run("memo", "--cases", path).exit_code == 0


def test_cases_come_through_stdin_too(fresh: Stage) -> None:
    done = fresh.run("memo", "--cases", "-", stdin=EXCERPT.read_text(encoding="utf-8") + "\n")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 17


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is not a JSON document"),
        ("[]", "is not a JSON object"),
        (
            '{"order": {}, "items": [{"line": 0, "qty_invoiced": "two"}]}',
            "items[0].qty_invoiced: 'two' is not a",
        ),
        ('{"order": {}, "items": [], "input": {"qtys": {"L0": NaN}}}', "is not a JSON document: NaN"),
        ("\u00e9\udcff", "is not a JSON document"),
        ("[" * 100_000, "is not a JSON document"),
    ],
)
def test_a_line_that_is_no_case_is_told_and_the_others_are_answered(
    fresh: Stage, tmp_path: Path, line: str, problem: str
) -> None:
    path = tmp_path / "cases.jsonl"
    good = json.dumps(_one("SC001-2"))
    path.write_bytes(f"{good}\n\n{line}\n{good}\n".encode(errors="surrogateescape"))
    done = fresh.run("memo", "--cases", str(path), "--check")
    assert done.exit_code == 2
    [told, last] = done.stderr.splitlines()
    assert told.startswith(f"{path}, line 3: {problem}")
    assert last == "2 of 3 equal"
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert [answer.get("reason") for answer in answers] == ["cannot_be_created", None, "cannot_be_created"]
    assert answers[1]["ok"] is False


def test_a_case_without_a_result_cannot_be_checked(fresh: Stage, tmp_path: Path) -> None:
    case = _one("SR007-1")
    del case["result"]
    path = _write(tmp_path / "cases.jsonl", [case])
    done = fresh.run("memo", "--cases", path, "--check")
    assert (done.exit_code, done.stderr) == (2, f"{path}, line 1: result: must be an object\n0 of 1 equal\n")
    assert fresh.run("memo", "--cases", path).exit_code == 0


def test_a_line_without_an_end_is_not_read_to_its_end(fresh: Stage, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b" " * (MOST_LINE_BYTES + 1))
    done = fresh.run("memo", "--cases", str(path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"{path}, line 1: is longer than {MOST_LINE_BYTES} bytes\n"
    assert fresh.run("memo", str(path)).stderr == f"{path}: is longer than {MOST_LINE_BYTES} bytes\n"


def test_a_file_that_is_not_there_is_told(fresh: Stage, tmp_path: Path) -> None:
    for arguments in (["--cases", str(tmp_path / "none")], [str(tmp_path / "none")]):
        done = fresh.run("memo", *arguments)
        assert done.exit_code == 2
        assert "none cannot be read: No such file or directory" in done.stderr


def test_one_order_is_one_memo_for_a_person(fresh: Stage, tmp_path: Path) -> None:
    path = _write(tmp_path / "order.json", [_one("SR007-1")])
    done = fresh.run("memo", path)
    assert (done.exit_code, done.stderr) == (0, "")
    totals, _, items = done.stdout.partition("\n\n")
    assert "grand_total\t21.1900" in totals.splitlines()
    head, *lines = items.splitlines()
    assert head.startswith("line\tqty\tprice\t")
    assert [line.split("\t")[:2] for line in lines] == [["0", "1.0000"]]


def test_one_order_is_one_document_for_a_program(fresh: Stage, tmp_path: Path) -> None:
    case = _one("SR007-1")
    path = _write(tmp_path / "order.json", [{name: case[name] for name in ("order", "items", "input")}])
    document = fresh.json("memo", path)
    assert document["creditmemo"]["grand_total"] == "21.1900"
    again = fresh.run("memo", "-", "--json", stdin=json.dumps(case))
    assert json.loads(again.stdout) == document


def test_a_memo_of_nothing_has_no_items(fresh: Stage) -> None:
    done = fresh.run("memo", "-", stdin=json.dumps(_one("SC077-1")))
    assert done.exit_code == 0
    assert done.stdout.endswith("\n\nline\tqty\n")
    assert "grand_total\t-3.0000" in done.stdout


def test_a_refusal_of_the_shop_is_told_with_its_class(fresh: Stage) -> None:
    done = fresh.run("memo", "-", stdin=json.dumps(_one("SC030-1")))
    words = "Maximum shipping amount allowed to refund is: $5.55"
    assert (done.exit_code, done.stdout, done.stderr) == (4, "", f"over_shipping: {words}\n")
    as_json = fresh.run("memo", "-", "--json", stdin=json.dumps(_one("SC030-1")))
    assert as_json.exit_code == 4
    assert json.loads(as_json.stdout) == {"ok": False, "error": words, "reason": "over_shipping"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"order": 3}'])
def test_a_document_that_is_no_order_is_told(fresh: Stage, text: str) -> None:
    done = fresh.run("memo", "-", stdin=text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("-: ")


@pytest.mark.parametrize("arguments", [[], ["a", "--cases", "b"], ["a", "--check"]])
def test_what_does_not_go_together_is_told(fresh: Stage, arguments: list[str]) -> None:
    done = fresh.run("memo", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")


def test_nothing_is_opened_and_nothing_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    done = subprocess.run(
        [*COMMAND, "memo", "--cases", str(EXCERPT), "--check"],
        env={**os.environ, "MONEYBACK_DATA_DIR": str(folder), "DATABASE_URL": "nonsense"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "17 of 17 equal\n")
    assert not folder.exists()
