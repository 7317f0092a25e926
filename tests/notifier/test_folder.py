from dataclasses import replace
from pathlib import Path

import pytest

from refunds.notifier.channel import open_channel
from refunds.notifier.folder import FolderChannel
from refunds.notifier.smtp import SmtpChannel
from refunds.ports import Mail

MAIL = Mail(
    recipient="oncall@localhost",
    sender="moneyback@localhost",
    message_id="<nt_01@localhost>",
    content=b"Subject: one\r\n\r\nfirst\r\n",
)


def test_a_mail_becomes_one_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    delivery = FolderChannel(tmp_path / "new" / "mail").deliver(MAIL)

    assert delivery.delivered
    (file,) = (tmp_path / "new" / "mail").iterdir()
    assert file.name == "nt_01@localhost.eml"
    assert file.read_bytes() == MAIL.content
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_repeat_takes_the_place_of_the_first_copy(tmp_path: Path) -> None:
    channel = FolderChannel(tmp_path)
    channel.deliver(MAIL)

    channel.deliver(replace(MAIL, content=b"again"))

    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b"again"


def test_hostile_message_ids_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    ids = [
        "<../../x@y>",
        "<..%2f@y>",
        "</etc/x@y>",
        "<a\0b@y>",
        "",
        "<.hidden@y>",
        f"<{'x' * 5000}@y>",
        "<é>",
    ]
    ids += ["<a_b@y>", "<a/b@y>", "<\udc80>"]

    deliveries = [FolderChannel(folder).deliver(replace(MAIL, message_id=one)) for one in ids]

    assert all(delivery.delivered for delivery in deliveries)
    assert len(list(folder.glob("*.eml"))) == len(ids)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    blocked = tmp_path / "mail"
    blocked.write_text("a file where the folder should be")
    channel = FolderChannel(blocked)

    delivery = channel.deliver(MAIL)

    assert not delivery.delivered
    assert not delivery.final
    problem = channel.check()
    assert problem is not None
    assert str(blocked) in problem


def test_a_failed_write_leaves_no_draft_behind(tmp_path: Path) -> None:
    (tmp_path / "nt_01@localhost.eml").mkdir()

    assert not FolderChannel(tmp_path).deliver(MAIL).delivered
    assert [entry.name for entry in tmp_path.iterdir()] == ["nt_01@localhost.eml"]


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    assert FolderChannel(tmp_path).check() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_mail_goes_to_the_folder(tmp_path: Path, url: str | None) -> None:
    open_channel(url, folder=tmp_path).deliver(MAIL)

    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("slashes", ["", "//"])
def test_a_file_url_names_another_folder(tmp_path: Path, slashes: str) -> None:
    other = tmp_path / "other"

    open_channel(f"file:{slashes}{other}", folder=tmp_path / "mail").deliver(MAIL)

    assert [entry.name for entry in tmp_path.iterdir()] == ["other"]


def test_smtp_urls_open_an_smtp_channel_without_connecting(tmp_path: Path) -> None:
    assert isinstance(open_channel("smtp://localhost:1", folder=tmp_path), SmtpChannel)


@pytest.mark.parametrize("url", ["file:", "file://", "file://host/path", "ftp://host", "nonsense"])
def test_other_urls_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="URL: the "):
        open_channel(url, folder=tmp_path)
