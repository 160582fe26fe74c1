"""Read the token or URL that a channel is called with. It may be replaced while functions run."""

from collections.abc import Callable, Collection, Iterator

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from waitpoints.aws.error_codes import error_code
from waitpoints.aws.services.secrets import is_unusable
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.ports import Secret


def call_with[Found](secret: Secret, call: Callable[[str], Found], replaced: Collection[str]) -> Found:
    """Call with the text that is known. If it is refused for one of the reasons `replaced`, then with what is there now."""
    refused = NotSent("secret_missing")
    for text in versions(secret):
        try:
            return call(text)
        except NotSent as error:
            refused = error
            if str(error) not in replaced:
                break
    raise refused


def versions(secret: Secret) -> Iterator[str]:
    """Yield the text that is known. If the caller asks on, it was refused: then what is there now, if that is another one.

    Never a previous version, which may be of another workspace or channel. Raises NotSentNow or NotSent.
    """
    try:
        for text in map(str.strip, secret.read_latest()):  # without the line break at its end, which files often have
            if not text or not text.isascii() or not text.isprintable():
                raise NotSent("secret_unusable")
            yield text
    except GetParameterError as error:
        if is_unusable(error):
            raise NotSent("secret_missing") from None
        raise NotSentNow(error_code(error) or "secret_not_read") from None
