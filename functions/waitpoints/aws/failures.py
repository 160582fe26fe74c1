"""When AWS throttles or fails: what a call raises, what is logged, and what the caller is answered."""

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import BotoCoreError, ClientError

from waitpoints import telemetry
from waitpoints.aws.error_codes import error_code
from waitpoints.errors import TryAgain

AWS_FAILURES = (ClientError, BotoCoreError, GetParameterError)
"""What a call to AWS raises. The last is Powertools' error for a secret that cannot be read."""


def try_again(failure: Exception, how: str) -> TryAgain:
    """Note AWS's failure in the log, and return what the caller is answered: `how` to try again."""
    telemetry.note(error=type(failure).__name__, awsCode=error_code(failure))
    return TryAgain(f"AWS throttled or failed. Nothing was lost: {how}")
