"""The proof can fail: what is written without redaction is found, in every spelling and every place."""

import base64
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from refunds.store import requests
from refunds.store.database import now
from tests.house_of import House
from tests.security.planted import cards, codes, keys
from tests.security.searching import hits, hits_in_folder, hits_in_tables


@pytest.mark.parametrize("kind", list(cards()[0].spelt))
@pytest.mark.parametrize("written", [str, json.dumps, repr, lambda text: json.dumps(json.dumps({"a": text}))])
def test_every_number_is_found_in_every_spelling(kind: str, written: Callable[[str], str]) -> None:
    missed = [
        card for card in cards() if card.number not in hits(f"before {written(card.spelt[kind])} after")
    ]
    assert missed == []


def test_every_split_number_every_code_and_every_key_is_found() -> None:
    halves = [json.dumps({"pan_first": card.halves[0], "pan_last": card.halves[1]}) for card in cards()]
    assert [card for card, text in zip(cards(), halves, strict=True) if hits(text) != {card.number}] == []
    assert [code for code in codes() if not hits(f"it says {code.text}.")] == []
    assert [key for key in keys() if not hits(f"it says {key.text}.")] == []


def test_nothing_is_found_where_nothing_was_planted() -> None:
    assert (
        hits("2026-01-02 10:11:12 refund rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH of 4000 00 was queued, cvv=***")
        == set()
    )


def test_it_is_found_in_tables_files_and_journals(either_house: House, tmp_path: Path) -> None:
    for number, card in enumerate(cards()[:14]):
        text = list(card.spelt.values())[number % 7]
        with either_house.parts.database.begin() as tx:
            requests.park(tx, digest=str(number), source="test", raw=text, why="planted", now=now(tx))
    assert len(hits_in_tables(either_house.parts.database)) == 14
    if either_house.parts.database.sqlite:
        assert len(hits_in_folder(tmp_path)) == 14


def test_it_is_found_in_mails_and_in_a_log_that_is_not_ours(tmp_path: Path) -> None:
    stream = logging.FileHandler(tmp_path / "log")
    logging.getLogger("careless").addHandler(stream)
    logging.getLogger("careless").error("paid with %s", cards()[1].spelt["Unicode digits"])
    logging.getLogger("careless").removeHandler(stream)
    stream.close()
    quoted = "".join(f"={ord(digit):02X}" for digit in cards()[2].number)
    (tmp_path / "one.eml").write_text(f"Subject: x\n\n{quoted}\n")
    (tmp_path / "blob").write_bytes(b"\x00\xff" + base64.b64encode(cards()[3].number.encode()) + b"\x00")
    assert hits_in_folder(tmp_path) == {cards()[index].number for index in (1, 2, 3)}
