"""`moneyback token`: who may call the HTTP API."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import CommandError, Exit
from cli.output import AsJson, emit_json, emit_line, emit_table, say

if TYPE_CHECKING:
    from refunds.store.tokens import Token

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

app = typer.Typer(help="Make, list and end bearer tokens.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="Whose token it is.", show_default=False)],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it allows, such as refunds:write; several with commas, or the option again.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> int:
    """Make a token. Its secret is shown this once and kept nowhere."""
    from cli.opening import opened
    from refunds.flow.tokens import create as create_token
    from refunds.store.types import instant_text

    scopes = [part.strip() for each in scope for part in each.split(",") if part.strip()]
    with opened() as house:
        try:
            made, secret = create_token(house.parts, name=name, scopes=scopes)
        except ValueError as error:
            raise CommandError(Exit.USAGE, str(error)) from error
    if as_json:
        emit_json(
            {
                "token": secret,
                "id": made.id,
                "name": made.name,
                "scopes": list(made.scopes),
                "created_at": instant_text(made.created_at),
            },
        )
    else:
        emit_line(secret)
    say(f"token {made.id} for {made.name}, scopes {', '.join(made.scopes)}: shown this once, keep it now")
    say(f"to end it: moneyback token revoke {made.id}")
    return Exit.OK


@app.command("list")
def list_(*, as_json: AsJson = False) -> int:
    """List every token, the ended ones too; never a secret."""
    from cli.opening import opened
    from cli.wording import stamp
    from refunds.flow.tokens import list_tokens

    with opened() as house:
        tokens = list_tokens(house.parts)
    if as_json:
        emit_json({"items": [_document(token) for token in tokens]})
        return Exit.OK
    emit_table(
        ("id", "name", "scopes", "created", "revoked"),
        [
            (token.id, token.name, ",".join(token.scopes), stamp(token.created_at), stamp(token.revoked_at))
            for token in tokens
        ],
    )
    return Exit.OK


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, tk_…", show_default=False)],
    *,
    as_json: AsJson = False,
) -> int:
    """End a token at once."""
    from cli.opening import opened
    from refunds.flow.tokens import list_tokens
    from refunds.flow.tokens import revoke as revoke_token

    with opened() as house:
        ended = revoke_token(house.parts, token_id)
        token = next((token for token in list_tokens(house.parts) if token.id == token_id), None)
    if token is None:
        # What was typed is not repeated: people put the secret itself there by mistake.
        raise CommandError(Exit.NOT_FOUND, "there is no token of that id", "next: moneyback token list")
    if as_json:
        emit_json(_document(token))
    say(f"{token_id} is ended: it opens nothing any more" if ended else f"{token_id} was ended before")
    return Exit.OK


def _document(token: "Token") -> dict[str, object]:
    from refunds.store.types import instant_text

    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": instant_text(token.created_at),
        "revoked_at": instant_text(token.revoked_at) if token.revoked_at else None,
    }
