"""Hostile requests, from the shared data and an excerpt of it.

The order in `hostile_excerpt.jsonl` is shaped after the "Online Retail" data set of the UCI Machine Learning
Repository (Daqing Chen, DOI 10.24432/C5BW33, CC BY 4.0); the hostile bodies are not part of that set.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import SHARED
from tests.web.service import Service

SAMPLE = SHARED / "data" / "bad_inputs_sample.jsonl"
TABLES = ("payments", "refunds", "intake_log", "history")
ABOUT_THE_WHOLE = re.compile("'.+' stands twice|the request must be a JSON object|lists and objects may be ")
"""The complaints whose pointer is the whole body; a name that stands twice is in their words."""


def cases(path: Path) -> list[Any]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [pytest.param(case, id=case["name"]) for case in map(json.loads, lines)]


@pytest.mark.parametrize("case", cases(Path(__file__).with_name("hostile_excerpt.jsonl")))
def test_the_excerpt_takes_no_effect(service: Service, admin: httpx.Client, case: dict[str, Any]) -> None:
    assert_harmless(service, admin, case)


@pytest.mark.shared
@pytest.mark.parametrize("case", cases(SAMPLE))
def test_a_hostile_request_takes_no_effect(
    service: Service, admin: httpx.Client, case: dict[str, Any]
) -> None:
    assert_harmless(service, admin, case)


@pytest.mark.shared
def test_the_whole_sample_was_tried(shared_folder: Path) -> None:
    assert len(cases(shared_folder / "data" / SAMPLE.name)) == 40


def assert_harmless(service: Service, admin: httpx.Client, case: dict[str, Any]) -> None:
    assert admin.post("/v1/payments", json=case["order"]).status_code in {200, 201}
    content = case["body_text"].encode(case.get("body_encoding", "utf-8"))
    before = [service.count(table) for table in TABLES]
    answer = admin.post("/v1/refunds", content=content, headers=case["headers"])
    refused = 400 <= answer.status_code < 500
    assert refused or answer.status_code == 202
    if case["firm"]:
        assert refused == (case["expect"] == "reject")
    if refused:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert [service.count(table) for table in TABLES] == before
        if answer.status_code == 422:
            assert_fields_named(answer.json()["errors"])
    else:
        # As it was sent, and as text: a JSON answer that no browser takes for a page.
        assert answer.json()["reason"] == json.loads(case["body_text"])["reason"]
        assert admin.get(answer.headers["Location"]).json() == answer.json()
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def assert_fields_named(errors: list[dict[str, str]]) -> None:
    assert errors
    for error in errors:
        assert error["pointer"].startswith("/") or ABOUT_THE_WHOLE.match(error["detail"]), error
