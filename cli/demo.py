"""`moneyback demo`: the main job on real requests in under a minute, judged from outside."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.sandbox_child import SandboxChild

talk = Console(stderr=True)
data = Console()

EXAMPLES = Path(__file__).parent.parent / "examples"
HOPELESS, ONE_DAY, TWO_DAYS, UNCLEAR = 3, 4, 2, 1
"""How many payments the sandbox refuses for good, for one day, for two days, and pays without an answer."""


def command(
    *,
    keep: Annotated[bool, typer.Option(help="leave the web process up until Ctrl-C")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="where its files go; default: a temporary folder")
    ] = None,
) -> None:
    """Hand over real refund requests, let three days pass, and show the queue and the failure email.

    Exits 0 only if the sandbox's own ledger and the mails themselves show what the scenario says.
    """
    with ExitStack() as stack:
        where = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moneyback-demo-")))
        where.mkdir(parents=True, exist_ok=True)
        problems = demonstrate(where, keep=keep)
    for problem in problems:
        talk.print(f"problem: {problem}", markup=False)
    if problems:
        raise typer.Exit(1)
    talk.print("The sandbox's ledger and the mails show what the scenario says.")


def demonstrate(
    folder: Path, *, keep: bool = False, at_stage: Callable[[str, SandboxChild], None] = lambda *_: None
) -> list[str]:
    """Run the scenario in a folder; returns what the ledger and the mails show otherwise than they should.

    `at_stage` is told each stage as it begins; a test breaks things there.
    """
    from cli.demonstration import Demonstration  # noqa: PLC0415 - the house comes with it

    with ExitStack() as stack:
        show = Demonstration(folder, stack)
        at_stage("started", show.sandbox)
        accepted = show.hand_over()
        show.settle_today()
        show.print_queue("The queue after the first attempts")
        at_stage("first attempts", show.sandbox)
        problems = show.let_days_pass()
        show.print_queue("The queue three days later")
        mails = failure_mails(folder / "mail")
        if mails:
            print_mail(mails[0])
        problems += show.judge(accepted, mails)
        if keep and not problems:
            show.keep_up()
    return problems


def failure_mails(folder: Path) -> list[EmailMessage]:
    """Every final notice in a mail folder, as a mail client would read it."""
    mails = []
    for path in sorted(folder.glob("*.eml")):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(mail, EmailMessage) and mail["X-Moneyback-Event"] == "failed":
            mails.append(mail)
    return mails


def print_mail(mail: EmailMessage) -> None:
    """Show the text part under its most telling headers."""
    data.rule("The failure email")
    for name in ("From", "To", "Date", "Subject"):
        data.print(f"{name}: {mail[name]}", markup=False, highlight=False, soft_wrap=True)
    text = mail.get_body(("plain",))
    if text is not None:
        data.print(f"\n{text.get_content()}", markup=False, highlight=False, soft_wrap=True)
