"""Settling tokens without HTTP."""

from waitpoints.token import Origin, Source
from waitpoints.tokens import Completion, Tokens

ORIGIN = Origin(source=Source.COMPLETE)


def complete(tokens: Tokens, token_id: str, json: str | None) -> Completion:
    """Complete a token with a JSON text, known to be accepted."""
    return tokens.complete(token_id, json, ORIGIN)
