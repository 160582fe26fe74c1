"""The one place that reads the environment and makes AWS clients, and hands the handlers what they work with.

On Lambda everything is built while the function starts, where the CPU is not throttled; elsewhere when it is first used.
"""

import gc
import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from waitpoints.callback_url import CallbackUrls
from waitpoints.dead_letters import DeadLetters
from waitpoints.outputs import Outputs
from waitpoints.rotating_secret import RotatingSecret
from waitpoints.step_functions import StepFunctions
from waitpoints.store import Store
from waitpoints.timeouts import Limits
from waitpoints.timers import Timers
from waitpoints.tokens import Tokens

if TYPE_CHECKING:
    from waitpoints.credentials import Credentials

# An answer within a webhook sender's patience, or an error that makes it try again: never a silent half minute.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)

_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4"))  # which every region accepts in a download link


def now() -> int:
    """The clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


@cache
def client(service: str) -> Any:
    return boto3.client(service, config=_CONFIG)


@cache
def outputs() -> Outputs:
    return Outputs(lambda: boto3.client("s3", config=_S3_CONFIG), os.environ["OUTPUT_BUCKET"])


@cache
def store() -> Store:
    return Store(client("dynamodb"), os.environ["TABLE_NAME"], int(os.environ["RETENTION_DAYS"]) * 86_400)


@cache
def tokens() -> Tokens:
    return Tokens(store(), outputs(), StepFunctions(client("stepfunctions")), now)


@cache
def callback_urls() -> CallbackUrls:
    return CallbackUrls(os.environ["BASE_URL"], RotatingSecret(client("secretsmanager"), os.environ["SIGNING_KEY_SECRET"]))


@cache
def credentials() -> "Credentials":
    from waitpoints.credentials import Credentials  # noqa: PLC0415 - PyJWT is not for the callback's cold start

    return Credentials(RotatingSecret(client("secretsmanager"), os.environ["API_KEY_SECRET"]), os.environ["ENVIRONMENT"])


@cache
def timers() -> Timers:
    return Timers(
        client("sqs"),
        client("scheduler"),
        queue_url=os.environ["TIMER_QUEUE_URL"],
        queue_arn=os.environ["TIMER_QUEUE_ARN"],
        group=os.environ["TIMER_GROUP"],
        role_arn=os.environ["TIMER_ROLE_ARN"],
    )


@cache
def dead_letters() -> DeadLetters:
    return DeadLetters(client("sqs"), os.environ["DEAD_LETTER_QUEUE_URL"])


@cache
def timeout_limits() -> Limits:
    return Limits(os.environ["DEFAULT_TIMEOUT"], os.environ["MAX_TIMEOUT"])


def build_at_start(*builders: Callable[[], Any]) -> None:
    """Build these now if this is a Lambda function that is starting."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        for build in builders:
            build()
        gc.freeze()  # what was made so far stays for ever: no collection has to look at it
        gc.enable()


def forget() -> None:
    """Let go of everything that was built, for tests that change the environment."""
    for built in (client, outputs, store, tokens, callback_urls, credentials, timers, dead_letters, timeout_limits):
        built.cache_clear()
