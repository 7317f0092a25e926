"""`queue`: how much waits, in money, and what is tried next."""

import os
import pty
import re
import signal
import subprocess

import pytest

from refunds.store import requests
from refunds.store.database import now
from tests.cli.lived import Lived
from tests.cli.stage import Stage
from tests.command import COMMAND


def test_the_document_holds_the_sums_and_the_next_tries(lived: Lived) -> None:
    document = lived.stage.json("queue")
    assert (document["depth"], document["amounts"]) == (1, {"GBP": "12.75"})
    assert document["by_status"].keys() == {"failed", "queued"}
    assert document["parked_messages"] == 0
    [due] = document["due"]
    assert (due["id"], due["attempts_counted"], due["attempts_allowed"]) == (lived.queued, 1, 4)
    assert due["last_failure"]["code"] == "insufficient_funds"


def test_off_a_terminal_it_is_lines_with_tabs(lived: Lived) -> None:
    first, _, *sums_and_due = lived.stage.run("queue").stdout.splitlines()
    assert first.startswith("queued: 1 refund, GBP 12.75, oldest ")
    assert sums_and_due[0] == "status\trefunds\tsums\toldest"
    # From a first try before the run hour to the third run hour after it, three days have begun.
    assert re.match(r"failed\t1\tGBP 12\.75\t[23] days", sums_and_due[1])
    order, refund_id, amount, gateway, tries, wait, due, failure = sums_and_due[-1].split("\t")
    assert (order, refund_id, amount, gateway) == ("order-queued", lived.queued, "GBP 12.75", "sandbox")
    assert (tries, wait, failure) == ("1 of 4", "daily", "insufficient_funds: the refund was declined")
    assert "09:00:00Z (in " in due


def test_the_limit_bounds_the_tries_and_not_the_sums(lived: Lived) -> None:
    done = lived.stage.run("queue", "--limit", "0")
    assert "queued: 1 refund" in done.stdout
    assert lived.queued not in done.stdout


def test_an_empty_queue_says_so(fresh: Stage) -> None:
    assert fresh.run("queue").stdout.splitlines()[0] == "queued: 0 refunds"
    assert fresh.json("queue")["due"] == []


def test_parked_messages_are_told(fresh: Stage) -> None:
    fresh.run("db", "upgrade")
    with fresh.opened() as house, house.parts.database.begin() as tx:
        requests.park(tx, digest="d1", source="test", raw="?", why="cannot be read", now=now(tx))
    assert fresh.json("queue")["parked_messages"] == 1
    assert "and 1 parked message for a person to look at" in fresh.run("queue").stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_watch_without_a_terminal_is_a_usage_error(fresh: Stage, options: list[str]) -> None:
    assert fresh.run("queue", "--watch", *options).exit_code == 2


def test_a_watch_draws_until_it_is_interrupted_and_ends_well(lived: Lived) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "queue", "--watch"],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, **lived.stage.env, "COLUMNS": "200", "LINES": "50", "TERM": "xterm"},
    ) as watching:
        os.close(theirs)
        try:
            seen = b""
            while b"Ctrl-C" not in seen:
                seen += os.read(ours, 65536)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(10) == 0
            assert watching.stderr is not None
            assert watching.stderr.read() == b""
        finally:
            watching.kill()
            os.close(ours)
    assert b"order-queued" in seen
    assert b"12.75" in seen


def test_parked_messages_are_listed_with_why_and_their_own_words(fresh: Stage) -> None:
    fresh.run("db", "upgrade")
    with fresh.opened() as house, house.parts.database.begin() as tx:
        requests.park(tx, digest="d", source="message", raw='{"a": "b\n"}', why="not JSON", now=now(tx))
    [told] = fresh.json("queue", "--parked")["items"]
    assert (told["why"], told["raw"], told["source"]) == ("not JSON", '{"a": "b\n"}', "message")
    assert told["at"].endswith("Z")
    names, line = fresh.run("queue", "--parked").stdout.splitlines()
    assert names.split("\t") == ["at", "why", "message"]
    assert line.split("\t")[1] == "not JSON"
