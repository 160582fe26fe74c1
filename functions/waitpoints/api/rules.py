"""Check the rules in a request to create a token. Each function returns None if its rule is absent."""

from typing import Any

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from waitpoints import json_text
from waitpoints.aws.secrets import is_unusable
from waitpoints.errors import InvalidVerification
from waitpoints.token import Verification
from waitpoints.wiring import services


def verification(value: Any) -> Verification | None:
    """Parse `verify`. Raises InvalidVerification if it is malformed, or its secret does not exist or has the wrong form."""
    if value is None:
        return None
    from waitpoints.api import signatures  # noqa: PLC0415 - only for tokens with `verify`

    verify = signatures.parse_verify(value)
    try:
        secret = services.webhook_secret(verify.secret).current()
    except GetParameterError as error:
        if not is_unusable(error):
            raise
        name = services.webhook_secret_name(verify.secret)
        raise InvalidVerification(f'Invalid verify: Secrets Manager has no secret "{name}" with a text') from None
    signatures.check_secret(verify, secret)
    return verify


def complete_when(expression: str | None) -> str | None:
    """Check and return the expression. Raises InvalidCompleteWhen."""
    if expression is None:
        return None
    from waitpoints.api import completion_filter  # noqa: PLC0415 - only for tokens with `completeWhen`

    completion_filter.check(expression)
    return expression


def schema(value: Any) -> str | None:
    """Check the schema and return its JSON text. Raises InvalidPayloadSchema."""
    if value is None:
        return None
    from waitpoints.api import payload_schema  # noqa: PLC0415 - only for tokens with `payloadSchema`

    text = json_text.dumps(value)
    payload_schema.check(text)
    return text


def page(value: Any) -> str | None:
    """Check the page and return its JSON text. Raises InvalidPage."""
    if value is None:
        return None
    from waitpoints.api import page_definition, page_html  # noqa: PLC0415 - only for tokens with `page`

    text = page_definition.parse(value)
    page_html.check_size(page_definition.load(text))
    return text
