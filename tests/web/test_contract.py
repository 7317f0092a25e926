import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from refunds.flow.request import PaymentForm, RefundForm
from refunds.store import ticks
from refunds.store.database import real_now
from tests.web.service import Service
from web.api import documents


def walk(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(found for each in inner for found in walk(each))]


def test_the_contract_is_openapi_3_1_and_every_reference_leads_somewhere(service: Service) -> None:
    assert service.contract["openapi"].startswith("3.1.")
    references = {
        node["$ref"] for node in walk(service.contract) if isinstance(node, dict) and "$ref" in node
    }
    schemas = service.contract["components"]["schemas"]
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= set(schemas)
    assert "HTTPValidationError" not in schemas


def test_every_operation_has_a_name_and_its_problems_are_problem_details(service: Service) -> None:
    operations = [each for path in service.contract["paths"].values() for each in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and operation["operationId"] != "readyz":
                assert list(answer["content"]) == ["application/problem+json"]
                assert answer["content"]["application/problem+json"]["examples"]


@pytest.mark.parametrize(("path", "form"), [("/v1/refunds", RefundForm), ("/v1/payments", PaymentForm)])
def test_request_examples_are_ones_we_take(
    service: Service, path: str, form: type[RefundForm | PaymentForm]
) -> None:
    content = service.contract["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": f"#/components/schemas/{form.__name__}"}
    for example in content["examples"].values():
        form.model_validate(example["value"])


@pytest.mark.parametrize("form", [documents.Refund, documents.Payment])
def test_answer_examples_are_ones_we_give(
    service: Service, form: type[documents.Refund | documents.Payment]
) -> None:
    [example] = service.contract["components"]["schemas"][form.__name__]["examples"]
    assert form.model_validate(example).model_dump(mode="json") == example


def test_the_contract_is_the_same_in_every_process(service: Service, tmp_path: Path) -> None:
    program = (
        "import json, sys; from config.settings import load; from refunds.bootstrap import open_house;"
        "from web.api.app import create_app;"
        "house = open_house(load(environ={'MONEYBACK_DATA_DIR': sys.argv[1]}), role='web');"
        "print(json.dumps(create_app(house.parts).openapi())); house.close()"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(told.stdout) == service.contract


def test_readiness_tells_who_is_alive(service: Service, admin: httpx.Client) -> None:
    with service.parts.database.begin() as tx:
        real = real_now(tx)
        for process in ("worker:a:1", "worker:b:2"):
            ticks.beat(tx, process=process, role="worker", host="a", real=real)
        ticks.take(tx, tick="test", slot=1, by="test", real=real)
    ready = documents.Readiness.model_validate(admin.get("/readyz").json())
    assert ready.ready
    assert ready.processes["worker"].processes == 2
    assert 0 <= ready.processes["worker"].last_beat_age_seconds < 60
    assert ready.last_tick_age_seconds is not None
    assert ready.migrations.current == ready.migrations.wanted
