import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.flow.refusal import FieldError
from tests.web.service import Service, is_problem, running
from web.api.body import BYTES_LIMIT, read_document
from web.api.problems import ProblemError

JSON = {"Content-Type": "application/json"}


def post(client: httpx.Client, content: Any, headers: dict[str, str] = JSON) -> httpx.Response:
    return client.post("/v1/payments", content=content, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/csv"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_only_plain_json_is_read(admin: httpx.Client, headers: dict[str, str]) -> None:
    assert is_problem(post(admin, b"{}", headers), 415, "media_type_not_supported")


@pytest.mark.parametrize(
    "value", ["application/json; charset=UTF-8", "Application/JSON", 'application/json;charset="utf-8"']
)
def test_json_may_say_that_it_is_utf_8(admin: httpx.Client, value: str) -> None:
    assert is_problem(post(admin, b"{}", {"Content-Type": value}), 422, "invalid_request")


def padded(length: int) -> bytes:
    return b'{"x": "' + b"a" * (length - 9) + b'"}'


def test_a_body_of_the_limit_is_read_and_one_more_byte_is_not(admin: httpx.Client) -> None:
    assert is_problem(post(admin, padded(BYTES_LIMIT)), 422, "invalid_request")
    assert is_problem(post(admin, padded(BYTES_LIMIT + 1)), 413, "body_too_large")


def test_a_large_body_is_not_believed_to_be_small(admin: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"x": "'
        for _ in range(400):
            yield b"a" * 1024

    assert is_problem(post(admin, chunks()), 413, "body_too_large")


@pytest.mark.parametrize("declared", ["999999999999", "9" * 30])
def test_a_body_declared_too_large_is_not_waited_for(service: Service, declared: str) -> None:
    _, _, secret = service.client("admin").headers["Authorization"].partition(" ")
    answer = service.exchange(
        f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {declared}\r\n\r\n{{".encode(),
    )
    assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))


def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path, body_seconds=0.1) as service:
        _, _, secret = service.client("admin").headers["Authorization"].partition(" ")
        answer = service.exchange(
            f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
            "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{".encode(),
        )
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"/problems/request_too_slow" in answer


@pytest.mark.parametrize(
    ("content", "status", "name", "pointer"),
    [
        (b"", 400, "malformed_body", None),
        (b"{", 400, "malformed_body", None),
        (b"{} {}", 400, "malformed_body", None),
        (b"\xef\xbb\xbf{}", 400, "malformed_body", None),
        (b'{"a": "\xff"}', 400, "malformed_body", None),
        (b'{"a": "\xed\xa0\x80"}', 400, "malformed_body", None),
        (b"{}".decode().encode("utf-16"), 400, "malformed_body", None),
        (b'{"a": "\n"}', 400, "malformed_body", None),
        (b'{"a": +1}', 400, "malformed_body", None),
        (b"null", 422, "invalid_request", ""),
        (b"[]", 422, "invalid_request", ""),
        (b'"text"', 422, "invalid_request", ""),
        (b"12.75", 422, "invalid_request", ""),
        (b'{"a": 1.5}', 422, "invalid_request", "/a"),
        (b'{"a": [0, 1e2]}', 422, "invalid_request", "/a/1"),
        (b'{"a": NaN}', 422, "invalid_request", "/a"),
        (b'{"a": -Infinity}', 422, "invalid_request", "/a"),
        (b'{"a": 123456789012345678901}', 422, "invalid_request", "/a"),
        (b'{"a": ' + b"9" * 100_000 + b"}", 422, "invalid_request", "/a"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', 422, "invalid_request", "/a"),
        (b'{"a": 1, "\\u0061": 2}', 422, "invalid_request", ""),
        (b'{"a/b": {"~": 0.1}}', 422, "invalid_request", "/a~1b/~0"),
        (b'{"a": "\\ud800"}', 422, "invalid_request", "/a"),
        (b'{"a": {"\\udead": 1}}', 422, "invalid_request", "/a"),
        (b'{"\\udead": 1, "\\udead": 2}', 422, "invalid_request", ""),
        (b'{"a":' * 33 + b"1" + b"}" * 33, 422, "invalid_request", "/a" * 32),
        (b"[" * 100_000, 422, "invalid_request", ""),
        (b'{"a":' * 40_000, 422, "invalid_request", ""),
        (b"[" * 100_000 + b"]" * 100_000, 422, "invalid_request", ""),
    ],
)
def test_a_body_that_does_not_mean_one_thing_is_refused(
    admin: httpx.Client, content: bytes, status: int, name: str, pointer: str | None
) -> None:
    answer = post(admin, content)
    assert is_problem(answer, status, name)
    assert [error["pointer"] for error in answer.json()["errors"]] == ([] if pointer is None else [pointer])


def test_a_body_as_deep_as_allowed_is_read() -> None:
    deep = b'{"a":' * 32 + b"1" + b"}" * 32
    assert read_document(deep) == json.loads(deep)


def test_many_things_wrong_are_told_in_a_short_answer() -> None:
    with pytest.raises(ProblemError) as told:
        read_document(b'{"' + b"k" * 1000 + b'": [' + b"0.5," * 5000 + b"0.5]}")
    assert len(told.value.errors) == 20
    assert told.value.errors[19] == FieldError(f"/{'k' * 100}/19", told.value.errors[0].detail)


WHOLE = st.integers(min_value=-(10**18), max_value=10**18)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.dictionaries(
    TEXT,
    st.recursive(
        st.none() | st.booleans() | WHOLE | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


@given(DOCUMENTS, st.booleans())
def test_what_is_clear_is_read_as_it_is_written(document: dict[str, Any], ascii_only: bool) -> None:
    assert read_document(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    try:
        assert isinstance(read_document(content), dict)
    except ProblemError as error:
        assert error.detail  # noqa: PT017 the only error there may be


@given(st.text(alphabet='{}[]",:0123456789.eE+-NaInfity\\ud8truelsn ', max_size=60))
def test_no_near_json_breaks_the_reader(content: str) -> None:
    try:
        assert isinstance(read_document(content.encode()), dict)
    except ProblemError as error:
        assert error.detail  # noqa: PT017 the only error there may be
