import re

import httpx
import pytest

from refunds.flow import scopes, tokens
from refunds.flow.scopes import (
    OPERATE,
    PAYMENTS_READ,
    PAYMENTS_WRITE,
    QUEUE_READ,
    REFUNDS_READ,
    REFUNDS_WRITE,
)
from tests.web.service import Service, is_problem

READS = {REFUNDS_READ, PAYMENTS_READ, QUEUE_READ}
WRITES = {REFUNDS_WRITE, PAYMENTS_WRITE}
NOWHERE = "/v1/refunds/rf_00000000000000000000000000"
ROUTES = [
    ("GET", "/v1/refunds", REFUNDS_READ),
    ("GET", NOWHERE, REFUNDS_READ),
    ("POST", "/v1/refunds", REFUNDS_WRITE),
    ("POST", f"{NOWHERE}/retry", OPERATE),
    ("POST", f"{NOWHERE}/cancel", OPERATE),
    ("POST", f"{NOWHERE}/restart", OPERATE),
    ("POST", f"{NOWHERE}/resolve", OPERATE),
    ("GET", "/v1/payments", PAYMENTS_READ),
    ("POST", "/v1/payments", PAYMENTS_WRITE),
    ("GET", "/v1/queue", QUEUE_READ),
]
GRANTS = {
    REFUNDS_READ: {REFUNDS_READ},
    REFUNDS_WRITE: {REFUNDS_WRITE},
    PAYMENTS_READ: {PAYMENTS_READ},
    PAYMENTS_WRITE: {PAYMENTS_WRITE},
    QUEUE_READ: {QUEUE_READ},
    OPERATE: READS | {OPERATE},
    "read": READS,
    "write": READS | WRITES,
    "admin": READS | WRITES | {OPERATE},
}


@pytest.mark.parametrize("scope", list(scopes.SCOPES))
def test_a_token_opens_what_its_scope_says_and_nothing_else(service: Service, scope: str) -> None:
    with service.client(scope) as client:
        for method, path, wanted in ROUTES:
            # An empty body: whoever comes in is told so.
            answer = client.request(method, path, headers={"Content-Type": "application/json"})
            if wanted in GRANTS[scope]:
                assert answer.status_code not in {401, 403}, (method, path)
            else:
                assert is_problem(answer, 403, "forbidden"), (method, path)
                assert f'scope="{wanted}"' in answer.headers["WWW-Authenticate"]


def test_every_route_behind_a_token_is_tried_above(service: Service) -> None:
    declared = {
        (method.upper(), path)
        for path, operations in service.contract["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") == [{"token": []}]
    }
    assert {
        (method, path.replace(NOWHERE, "/v1/refunds/{refund_id}")) for method, path, _ in ROUTES
    } == declared


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic c2hvcDpzaG9w", "mb_abc", "Bearer mb_unknown", "Bearer caf\xe9"],
)
@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ROUTES])
def test_nobody_unknown_comes_in(service: Service, method: str, path: str, authorization: str | None) -> None:
    headers = [] if authorization is None else [(b"Authorization", authorization.encode("latin-1"))]
    with service.client() as client:
        answer = client.request(method, path, headers=headers)
    assert is_problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="moneyback"')


def test_an_ended_token_no_longer_opens_anything(service: Service) -> None:
    token, secret = tokens.create(service.parts, name="leaver", scopes=["read"])
    with service.client(secret=secret) as client:
        assert client.get("/v1/refunds").status_code == 200
        assert tokens.revoke(service.parts, token.id)
        assert is_problem(client.get("/v1/refunds"), 401, "unauthenticated")
    assert not tokens.revoke(service.parts, token.id)
    [kept] = [each for each in tokens.list_tokens(service.parts) if each.id == token.id]
    assert kept.revoked_at is not None


def test_a_secret_is_long_random_and_not_kept(service: Service) -> None:
    made = [tokens.create(service.parts, name="shop", scopes=["read", "read"]) for _ in range(2)]
    assert len({secret for _, secret in made}) == 2
    for token, secret in made:
        assert re.fullmatch(r"mb_[A-Za-z0-9_-]{43}", secret)
        assert token.scopes == ("read",)
        assert token in tokens.list_tokens(service.parts)
        assert secret not in repr(tokens.list_tokens(service.parts))


@pytest.mark.parametrize("bad", [["refunds"], ["read", "everything"], [""], []])
def test_a_token_with_a_scope_nobody_knows_is_not_made(service: Service, bad: list[str]) -> None:
    before = service.count("tokens")
    with pytest.raises(ValueError, match="refunds:read"):
        tokens.create(service.parts, name="shop", scopes=bad)
    assert service.count("tokens") == before


@pytest.mark.parametrize("bad", ["", "x" * 65, " shop", "two\nlines"])
def test_a_token_needs_a_name_people_can_read(service: Service, bad: str) -> None:
    with pytest.raises(ValueError, match="name"):
        tokens.create(service.parts, name=bad, scopes=["read"])


def test_a_scope_of_another_version_allows_nothing() -> None:
    assert not scopes.allows(["everything"], REFUNDS_READ)
    assert not scopes.allows(["admin"], "everything")


def test_health_and_the_contract_need_no_token(service: Service) -> None:
    for path in ("/livez", "/readyz", "/openapi.json", "/problems/forbidden"):
        assert httpx.get(f"{service.url}{path}", trust_env=False).status_code == 200
