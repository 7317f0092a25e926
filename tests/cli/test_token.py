"""`token`: the secret is shown once, alone on stdout, and never again."""

import json
import sqlite3

import pytest

from refunds.flow.reading import authenticate
from tests.cli.stage import Stage


def _everything_kept(fresh: Stage) -> str:
    with sqlite3.connect(fresh.folder / "moneyback.db") as database:
        kept = "\n".join(database.iterdump())
    database.close()
    return kept


def test_a_new_token_is_alone_on_stdout_and_opens_the_api(fresh: Stage) -> None:
    options = ["--name", "shop", "--scope", "refunds:read,refunds:write", "--scope", "queue:read"]
    done = fresh.run("token", "create", *options)
    assert done.exit_code == 0
    [secret] = done.stdout.splitlines()
    assert secret.startswith("mb_")
    assert secret not in done.stderr
    assert "shown this once" in done.stderr
    assert secret not in _everything_kept(fresh)
    with fresh.opened() as house:
        token = authenticate(house.parts, secret)
    assert token is not None
    assert (token.name, token.scopes) == ("shop", ("refunds:read", "refunds:write", "queue:read"))


def test_a_new_token_as_json_is_one_document(fresh: Stage) -> None:
    made = fresh.json("token", "create", "--name", "shop", "--scope", "read")
    assert made.keys() == {"token", "id", "name", "scopes", "created_at"}
    assert (made["name"], made["scopes"]) == ("shop", ["read"])


def test_a_list_shows_every_token_and_no_secret(fresh: Stage) -> None:
    made = fresh.json("token", "create", "--name", "shop", "--scope", "read,write")
    listed = fresh.run("token", "list", "--json")
    [token] = json.loads(listed.stdout)["items"]
    assert token == {**{name: made[name] for name in made if name != "token"}, "revoked_at": None}
    lines = fresh.run("token", "list").stdout
    assert lines.splitlines()[0] == "id\tname\tscopes\tcreated\trevoked"
    assert "shop\tread,write\t" in lines
    assert made["token"] not in listed.output + lines


def test_a_revoked_token_opens_nothing_any_more(fresh: Stage) -> None:
    made = fresh.json("token", "create", "--name", "shop", "--scope", "admin")
    assert fresh.run("token", "revoke", made["id"]).exit_code == 0
    with fresh.opened() as house:
        assert authenticate(house.parts, made["token"]) is None
    assert fresh.json("token", "list")["items"][0]["revoked_at"] is not None
    again = fresh.run("token", "revoke", made["id"])
    assert (again.exit_code, again.stderr) == (0, f"{made['id']} was ended before\n")


def test_a_revoked_token_as_json_is_the_document_of_the_list(fresh: Stage) -> None:
    made = fresh.json("token", "create", "--name", "shop", "--scope", "read")
    document = fresh.json("token", "revoke", made["id"])
    assert document["revoked_at"].endswith("Z")
    assert fresh.json("token", "list")["items"] == [document]
    assert fresh.json("token", "revoke", made["id"]) == document


def test_a_secret_that_is_taken_for_an_id_is_not_echoed(fresh: Stage) -> None:
    secret = fresh.json("token", "create", "--name", "shop", "--scope", "read")["token"]
    done = fresh.run("token", "revoke", secret)
    assert done.exit_code == 3
    assert secret not in done.output


@pytest.mark.parametrize(
    "options",
    [
        ["--name", "shop"],
        ["--scope", "read"],
        ["--name", "shop", "--scope", "everything"],
        ["--name", "shop", "--scope", ","],
        ["--name", "", "--scope", "read"],
        ["--name", "two\nlines", "--scope", "read"],
    ],
)
def test_a_token_without_a_name_or_a_known_scope_is_not_made(fresh: Stage, options: list[str]) -> None:
    done = fresh.run("token", "create", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert fresh.json("token", "list")["items"] == []
