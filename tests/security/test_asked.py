"""What services send: each of the planted is refused, wherever it stands, and written nowhere."""

import base64
import itertools
import json
import threading
from pathlib import Path

import httpx

from refunds.flow.intake import Asked, take_in
from refunds.flow.messages import park_message, take_message
from refunds.flow.payments import register
from refunds.flow.refusal import Cause, Refusal
from refunds.store import requests
from tests.cli.stage import stage
from tests.house_of import House
from tests.security import places
from tests.security.listening import listening
from tests.security.planted import cards, codes, keys, texts
from tests.security.searching import hits, hits_in_folder, hits_in_tables
from tests.web.service import running


def _documents() -> list[dict[str, object]]:
    """One of the planted each, in every text field in turn."""
    turn = itertools.cycle(places.REFUND.values())
    return [
        *({"transaction_id": "pay_7001", **next(turn)(text)} for _, text in texts()),
        *({"transaction_id": "pay_7001", **places.split(card.halves)} for card in cards()),
    ]


def _log_format(house: House) -> str:
    return "json" if house.parts.database.sqlite else "text"


def _is_refused_for_it(answer: object) -> bool:
    return (
        isinstance(answer, Refusal)
        and answer.cause is Cause.INVALID
        and all("holds a" in error.detail for error in answer.errors)
        and all(error.pointer or "in a name" in error.detail for error in answer.errors)
    )


def test_every_planted_text_is_refused_in_every_field_and_kept_nowhere(
    either_house: House, tmp_path: Path
) -> None:
    documents = _documents()
    assert len(documents) == 8 * len(cards()) + len(codes()) + len(keys())
    asked = [Asked(f"k-{number}", document) for number, document in enumerate(documents)]
    with listening(_log_format(either_house)) as log:
        taken = take_in(either_house.parts, asked, caller="shop", source="test", keep_refusals=True)

    refused = [_is_refused_for_it(answer) for answer in taken]
    assert [document for document, is_so in zip(documents, refused, strict=True) if not is_so] == []
    assert either_house.count("intake_log") == len(documents)
    assert hits_in_tables(either_house.parts.database) == set()
    assert hits_in_folder(tmp_path) == set()
    assert hits(log.getvalue()) == set()
    assert hits(repr([answer.document() for answer in taken if isinstance(answer, Refusal)])) == set()


def test_each_text_field_refuses_each_kind(house: House) -> None:
    kinds = dict(texts()) | {"track": cards()[1].spelt["track"]}
    asked = [
        Asked(f"{place}-{kind}".replace("'", ""), {"transaction_id": "pay_7001", **put(text)})
        for (place, put), (kind, text) in itertools.product(places.REFUND.items(), kinds.items())
    ]
    taken = take_in(house.parts, asked, caller="shop", source="test")
    refused = [_is_refused_for_it(answer) for answer in taken]
    assert [item.key for item, is_so in zip(asked, refused, strict=True) if not is_so] == []
    registered = register(
        house.parts, [put(text) for put in places.REGISTERED.values() for text in kinds.values()]
    )
    assert all(map(_is_refused_for_it, registered))
    assert house.count("payments") == 0


def test_an_idempotency_key_may_hold_none_of_it(house: House) -> None:
    document = {"transaction_id": "pay_7001"}
    printable = [text for _, text in texts() if text.isascii() and text.isprintable()]
    taken = take_in(
        house.parts,
        [Asked(key, document) for key in printable],
        caller="shop",
        source="t",
        keep_refusals=True,
    )
    assert all(
        isinstance(answer, Refusal) and answer.errors[0].pointer == "/idempotency_key" for answer in taken
    )
    assert house.count("intake_log") == 0
    assert hits(repr(taken)) == set()


def test_refused_messages_are_parked_without_it(either_house: House, tmp_path: Path) -> None:
    documents = _documents()[::67]
    with listening(_log_format(either_house)) as log:
        for number, document in enumerate(documents):
            message = {"version": 1, "idempotency_key": f"m-{number}", "request": document}
            assert take_message(either_house.parts, message, stopping=threading.Event())
        for number, (_, text) in enumerate(texts()[::199]):
            odd = {"version": 1, "idempotency_key": f"o-{number}", "request": {}, text: text}
            assert take_message(either_house.parts, odd, stopping=threading.Event())
            escaped = json.dumps(text)
            for body in (
                f'{{"card": {escaped}, "n": {number}}}',
                f"{number} {text} {{",
                f"{number} {escaped} {{",
            ):
                _park(either_house, body)

    with either_house.parts.database.read() as tx:
        parked = requests.list_parked(tx, limit=10_000)
    assert len(parked) > len(documents)
    assert '"idempotency_key": "m-0"' in "".join(row["raw"] for row in parked)
    assert hits_in_tables(either_house.parts.database) == set()
    assert hits_in_folder(tmp_path) == set()
    assert "message.parked" in log.getvalue()
    assert hits(log.getvalue()) == set()


def _park(house: House, body: str) -> None:
    raw = base64.b64encode(body.encode()).decode()
    assert park_message(house.parts, raw=raw, why=f"not JSON: {body}"[:400], stopping=threading.Event())


def test_over_http_the_answer_names_the_field_and_repeats_nothing(tmp_path: Path, log_format: str) -> None:
    documents = _documents()[::41]
    answers: list[httpx.Response] = []
    with listening(log_format) as log, running(tmp_path / "data") as here, here.client("admin") as client:
        for number, document in enumerate(documents):
            headers = {"Idempotency-Key": f"h-{number}"}
            answers.append(client.post("/v1/refunds", json=document, headers=headers))
        for (_, text), put in zip(texts()[::121], itertools.cycle(places.REGISTERED.values()), strict=False):
            answers.append(client.post("/v1/payments", json=put(text)))
            decision = {"reason": text}
            answers.append(client.post(f"/v1/refunds/rf_{'0' * 26}/cancel", json=decision))
            twice = f"{{{json.dumps(text)}: 1, {json.dumps(text)}: 2}}"
            answers.append(client.post("/v1/payments", content=twice, headers=_JSON))
        for card in cards()[::50]:
            headers = {"Idempotency-Key": card.spelt["dashes"], "X-Request-Id": card.spelt["dashes"]}
            answers.append(client.post("/v1/refunds", json={"transaction_id": "1"}, headers=headers))
            client.get(f"/v1/refunds/{card.spelt['plain']}")
        told = "\n".join(f"{answer.headers}\n{answer.text}" for answer in answers)
        assert hits_in_tables(here.parts.database) == set()

    assert {answer.status_code for answer in answers} == {422}
    assert {answer.json()["type"] for answer in answers} == {"/problems/invalid_request"}
    assert hits(told) == set()
    assert hits(log.getvalue()) == set()
    assert "http.answered" in log.getvalue()
    assert hits_in_folder(tmp_path) == set()


_JSON = {"Content-Type": "application/json"}


def test_on_the_command_line_it_is_refused_and_repeated_nowhere(tmp_path: Path) -> None:
    here = stage(tmp_path / "data")
    refund = here.create("one")
    said = ""
    with listening("text"):
        for number, (_, text) in enumerate(texts()[::501]):
            request = json.dumps({"transaction_id": "pay_one", "amount": "1.00", "reason": text})
            asked = here.run("refund", "create", "--file", "-", "--key", f"c-{number}", stdin=request)
            options = here.run("refund", "create", "--order", text, "--amount", "1.00")
            reason = here.run("refund", "cancel", refund, "--yes", "--reason", text)
            token = here.run("token", "create", "--name", text, "--scope", "read")
            assert [done.exit_code for done in (asked, options, reason, token)] == [2, 2, 2, 2], (
                text,
                asked.output,
            )
            said += asked.output + options.output + reason.output + token.output
    assert "/reason: holds a" in said
    assert hits(said) == set()
    assert hits_in_folder(tmp_path) == set()
