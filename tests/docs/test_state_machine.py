"""docs/state-machine.md says what refunds/domain/status.py says, no more and no less."""

import re
from pathlib import Path

from refunds.domain.status import CANCELLABLE, RESERVING, TRANSITIONS, Status

_PAGE = (Path(__file__).parents[2] / "docs" / "state-machine.md").read_text(encoding="utf-8")
_MOVE = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", re.MULTILINE)
_MEANING = re.compile(r"^\| `(\w+)` \| ([^`|]+) \| ([^`|]+) \|$", re.MULTILINE)
_ARROW = re.compile(r"^ {4}(\w+|\[\*\]) --> (\w+|\[\*\])$", re.MULTILINE)

_MOVES = [(old, new, cause) for old, moves in TRANSITIONS.items() for new, cause in moves.items()]


def _diagram() -> list[tuple[str, str]]:
    (drawing,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", _PAGE, re.DOTALL)
    arrows = _ARROW.findall(drawing)
    assert len(arrows) == len(drawing.splitlines()), "a line of the diagram is no arrow"
    return arrows


def _listed(sentence: str) -> list[str]:
    (line,) = re.findall(rf"^{sentence}: (.+)\.$", _PAGE, re.MULTILINE)
    return re.findall(r"`(\w+)`", line)


def test_the_page_lists_every_legal_move_with_its_cause_and_no_other() -> None:
    wanted = "\n".join(f"| `{old}` | `{new}` | {cause} |" for old, new, cause in _MOVES)

    assert _MOVE.findall(_PAGE) == _MOVES, f"the table should read:\n{wanted}"


def test_the_diagram_draws_every_legal_move_and_no_other() -> None:
    wanted = "\n".join(f"    {old} --> {new}" for old, new, _ in _MOVES)
    drawn = [arrow for arrow in _diagram() if "[*]" not in arrow]

    assert drawn == [(old, new) for old, new, _ in _MOVES], f"the diagram should read:\n{wanted}"


def test_the_diagram_ends_where_no_move_leads_on() -> None:
    begins = {new for old, new in _diagram() if old == "[*]"}
    ends = {old for old, new in _diagram() if new == "[*]"}

    assert begins == {Status.REQUESTED, Status.AWAITING_APPROVAL, Status.HELD}
    assert ends == {status for status in Status if not TRANSITIONS[status]}


def test_every_status_is_explained_once_and_nobody_moves_what_cannot_move() -> None:
    explained = _MEANING.findall(_PAGE)

    assert [status for status, _, _ in explained] == list(Status)
    for status, _, who in explained:
        assert (who == "nobody") == (not TRANSITIONS[Status(status)]), status


def test_the_page_names_the_statuses_that_reserve_and_those_that_can_be_cancelled() -> None:
    assert set(_listed("The amount stays reserved on the payment in")) == RESERVING
    assert set(_listed("An operator may cancel from")) == CANCELLABLE
