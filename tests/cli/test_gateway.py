"""`gateway list|check|pause|resume`: what is told, what it changes, and with which exit code."""

import json

import pytest

from refunds.flow.days import StuckError, settle_down
from refunds.flow.dispatch import Dispatcher
from refunds.store import lanes
from refunds.store.database import clocks
from tests.cli.stage import Stage
from tests.sandbox_process import sandbox
from tests.servers.program import free_port

WHY = ("--reason", "their status page is red")


def _state(stage: Stage) -> list[str]:
    """The line of the sandbox: gateway, grade, abilities, state, why."""
    done = stage.run("gateway", "list")
    assert done.exit_code == 0, done.stderr
    [line] = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("sandbox")]
    return line


def _stays_due(stage: Stage) -> None:
    """A worker looks at what is due, many times, and leaves it."""
    with stage.opened() as house:
        dispatcher = Dispatcher(house.parts)
        dispatcher.start()
        with pytest.raises(StuckError):
            settle_down(house.parts, patience_seconds=1)
        assert dispatcher.stop(within_seconds=10)


def test_a_list_tells_what_a_gateway_can_do_and_that_it_is_open(fresh: Stage) -> None:
    name, grade, abilities, state, *why = _state(fresh)
    assert (name, grade, state, why) == ("sandbox", "A", "open", [""])
    assert "look-up" in abilities
    [item] = fresh.json("gateway", "list")["items"]
    assert (item["gateway"], item["configured"], item["grade"], item["look_up"]) == (
        "sandbox",
        True,
        "A",
        True,
    )
    assert (item["key_life_seconds"], item["settling_seconds"]) == (86400, 60)
    assert (item["paused"], item["lanes"]) == ([], [])


def test_a_list_tells_of_gateways_that_only_refunds_know(fresh: Stage) -> None:
    fresh.create("one")
    with fresh.opened() as house, house.parts.database.begin() as tx:
        lanes.ensure(tx, "default", "gone")
    [gone, known] = fresh.json("gateway", "list")["items"]
    assert (gone["gateway"], gone["configured"], gone["grade"]) == ("gone", False, None)
    assert [lane["account"] for lane in known["lanes"]] == ["default"]
    assert "gone\t\tnot configured here\topen" in fresh.run("gateway", "list").stdout
    assert fresh.run("gateway", "pause", "gone", *WHY).exit_code == 0


def test_a_list_tells_of_a_lane_that_trouble_closed_and_of_one_that_opens_again(fresh: Stage) -> None:
    fresh.create("one")
    with fresh.opened() as house, house.parts.database.begin() as tx:
        lanes.count_trouble(tx, "default", "sandbox", bad=5)
        lanes.close(tx, "default", "sandbox", until=clocks(tx)[0])
    *_, state, why = _state(fresh)
    assert (state, why) == ("closed", "account default: 5 troubles in a row, probed due now")
    with fresh.opened() as house, house.parts.database.begin() as tx:
        lanes.reopen(tx, "default", "sandbox")
    assert _state(fresh)[3] == "reopening"
    [item] = fresh.json("gateway", "list")["items"]
    assert item["lanes"] == [
        {"account": "default", "open": True, "failures": 5, "closed_until": None, "reopening": 1}
    ]


def test_a_pause_is_told_with_name_and_reason_and_nothing_is_sent_until_it_is_resumed(
    fresh: Stage,
) -> None:
    with sandbox(ledger=fresh.folder.parent / "ledger.db") as gateway:
        here = Stage(
            fresh.folder,
            {**fresh.env, "MONEYBACK_SANDBOX_URL": gateway.url, "MONEYBACK_POLL_SECONDS": "0.05"},
        )
        refund_id = here.create("one")
        paused = here.run("gateway", "pause", "sandbox", *WHY)
        assert (paused.exit_code, paused.stdout) == (0, "")
        assert "paused: no attempt begins at sandbox; by cli:" in paused.stderr
        assert paused.stderr.endswith(": their status page is red\nnext: moneyback gateway resume sandbox\n")
        *_, state, why = _state(here)
        assert (state, why.partition(": ")[2]) == ("paused", "their status page is red")
        _stays_due(here)
        shown = here.json("refund", "show", refund_id)
        assert (shown["status"], shown["attempts"]) == ("requested", [])

        resumed = here.run("gateway", "resume", "sandbox")
        assert (resumed.exit_code, resumed.stdout) == (0, "")
        assert resumed.stderr.endswith("attempts begin again at sandbox\nnext: moneyback gateway list\n")
        here.work(gateway, until_final=False)
        assert here.json("refund", "show", refund_id)["status"] == "refunded"


def test_a_second_pause_leaves_the_first_as_it_was(fresh: Stage) -> None:
    first = fresh.json("gateway", "pause", "sandbox", *WHY)
    assert first["gateway"] == "sandbox"
    assert first["paused_by"].startswith("cli:")
    assert fresh.json("gateway", "pause", "sandbox", "--reason", "other") == first
    assert fresh.json("gateway", "resume", "sandbox") == {"gateway": "sandbox", "was_paused": True}
    assert fresh.json("gateway", "resume", "sandbox") == {"gateway": "sandbox", "was_paused": False}
    assert "sandbox was not paused" in fresh.run("gateway", "resume", "sandbox").stderr


def test_a_pause_of_all_is_ended_by_all_alone(fresh: Stage) -> None:
    paused = fresh.run("gateway", "pause", "--all", *WHY, "--json")
    assert json.loads(paused.stdout)["gateway"] == "*"
    assert "no attempt begins at any gateway" in paused.stderr
    assert "next: moneyback gateway resume --all" in paused.stderr
    assert _state(fresh)[3] == "paused"
    assert fresh.json("gateway", "resume", "sandbox")["was_paused"] is False
    assert _state(fresh)[3] == "paused"
    assert "attempts begin again at any gateway" in fresh.run("gateway", "resume", "--all").stderr
    assert _state(fresh)[3] == "open"


@pytest.mark.parametrize(("ended", "left"), [("sandbox", "--all"), ("--all", "sandbox")])
def test_a_resume_says_what_stays_paused(fresh: Stage, ended: str, left: str) -> None:
    for which in ("sandbox", "--all"):
        assert fresh.run("gateway", "pause", which, *WHY).exit_code == 0
    done = fresh.run("gateway", "resume", ended)
    assert done.exit_code == 0
    assert "attempts begin again" not in done.stderr
    assert "sandbox stays paused, by cli:" in done.stderr
    assert done.stderr.endswith(f"next: moneyback gateway resume {left}\n")


@pytest.mark.parametrize("act", [["pause", *WHY], ["resume"]])
def test_one_gateway_is_named_or_all_are_meant(fresh: Stage, act: list[str]) -> None:
    for which in ([], ["sandbox", "--all"]):
        done = fresh.run("gateway", *act, *which)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "--all" in done.stderr
    assert _state(fresh)[3] == "open"


@pytest.mark.parametrize("act", [["pause", *WHY], ["resume"], ["check"]])
def test_a_gateway_that_does_not_exist_is_not_taken(fresh: Stage, act: list[str]) -> None:
    done = fresh.run("gateway", act[0], "sandbux", *act[1:])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("gateway_unknown: there is no gateway 'sandbux'; there are sandbox")


@pytest.mark.parametrize("reason", [[], ["--reason", "  "], ["--reason", "x" * 401]])
def test_a_pause_needs_a_reason(fresh: Stage, reason: list[str]) -> None:
    assert fresh.run("gateway", "pause", "sandbox", *reason).exit_code == 2
    assert _state(fresh)[3] == "open"


@pytest.mark.parametrize("which", [[], ["sandbox"], ["--all"]])
def test_a_check_asks_and_ends_with_6_where_one_is_not_well(fresh: Stage, which: list[str]) -> None:
    with sandbox(ledger=fresh.folder.parent / "ledger.db") as gateway:
        here = Stage(fresh.folder, {**fresh.env, "MONEYBACK_SANDBOX_URL": gateway.url})
        well = here.run("gateway", "check", *which)
        assert (well.exit_code, well.stdout) == (0, "gateway\tanswer\nsandbox\twell\n")
        items = here.json("gateway", "check", *which)["items"]
        assert items == [{"gateway": "sandbox", "ok": True, "wrong": None}]
    away = f"http://127.0.0.1:{free_port()}"
    done = fresh.run("gateway", "check", *which, "--json", MONEYBACK_SANDBOX_URL=away)
    [item] = json.loads(done.stdout)["items"]
    assert (done.exit_code, item["ok"]) == (6, False)
    assert item["wrong"]
