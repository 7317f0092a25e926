"""`refund retry`: one extra try at once, for a queued and for a failed refund."""

import shutil
from pathlib import Path

from tests.cli.lived import Lived
from tests.cli.stage import stage


def test_a_retry_is_extra_and_leaves_the_schedule_alone(lived: Lived, tmp_path: Path) -> None:
    shutil.copytree(lived.stage.folder, tmp_path / "data")
    here = stage(tmp_path / "data")
    for refund_id, status in ((lived.queued, "queued"), (lived.refused, "failed")):
        counted = here.json("refund", "show", refund_id)["attempts_counted"]
        done = here.run("refund", "retry", refund_id, "--reason", "the card is open again")
        assert done.exit_code == 0, done.stderr
        assert f"status\t{status}\n" in done.stdout
        assert "the daily schedule stays as it is" in done.stderr
        shown = here.json("refund", "show", refund_id)
        assert shown["attempts_counted"] == counted
        assert shown["history"][-1]["why"] == "try now: the card is open again"
        assert "due now" in here.run("refund", "show", refund_id).stdout
        story = here.run("refund", "show", refund_id, "--story").stdout
        assert "acted: try now: the card is open again." in story
