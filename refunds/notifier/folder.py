"""Delivery into a folder: the embedded default, where mail is files to be opened with any mail program."""

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from refunds.ports import Delivery, Mail

_LONGEST_NAME: Final = 120


class FolderChannel:
    """Writes each mail as `<message id>.eml`, readable by its owner only.

    A file is whole or absent, and on the disk once it counts as delivered; a mail that is delivered again
    takes the place of its first copy. The folder is made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, mail: Mail) -> Delivery:
        """Try once. No failure is final: a full or missing disk comes back."""
        path = self._folder / f"{_file_name(mail.message_id)}.eml"
        try:
            self._write(path, mail.content)
        except OSError as error:
            return Delivery(delivered=False, final=False, response=f"cannot write {path}: {error.strerror}")
        return Delivery(delivered=True, final=True, response=f"written to {path}")

    def check(self) -> str | None:
        """Write a file there, and take it away again."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self._folder) as probe:
                probe.write(b"\n")
        except OSError as error:
            return f"cannot write into {self._folder}: {error.strerror}"
        return None

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".draft")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except OSError:
            with suppress(OSError):
                Path(draft).unlink()
            raise
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _file_name(message_id: str) -> str:
    """The id itself where it is a safe name, else the part of it that is, and a digest to tell it apart."""
    plain = message_id.removeprefix("<").removesuffix(">")
    safe = re.sub(r"[^A-Za-z0-9@._+-]", "_", plain)
    if safe == plain and len(plain) <= _LONGEST_NAME and plain[:1].isalnum():
        return plain
    digest = hashlib.sha256(message_id.encode("utf-8", "replace")).hexdigest()[:24]
    return f"m{safe[:40]}-{digest}"
