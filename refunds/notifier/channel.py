"""The choice of a channel, by the one setting that names it."""

from pathlib import Path

from refunds.notifier.folder import FolderChannel
from refunds.notifier.smtp import SmtpChannel
from refunds.ports import Channel


def open_channel(
    url: str | None, *, folder: Path, timeout_seconds: float = 20, ca_file: Path | None = None
) -> Channel:
    """The channel that the URL names: `smtp://` or `smtps://`, `file:PATH`, and `folder` where it is empty.

    Opens no connection. Raises ValueError for a URL that cannot be used, naming its wrong part.
    """
    if not url:
        return FolderChannel(folder)
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "file":
        return SmtpChannel(url, timeout_seconds=timeout_seconds, ca_file=ca_file)
    path = rest.removeprefix("//") if rest.startswith("///") else rest
    if not path or path.startswith("//"):
        raise ValueError("mail folder URL: the path must be given as file:PATH or file:///PATH")
    return FolderChannel(Path(path))
