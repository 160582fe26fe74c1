"""Dependency wiring: read the environment, create the AWS clients and build the services that handlers use."""

import gc
import os
import time
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Callable

    from waitpoints.access.api_key_cache import ApiKeyCache
    from waitpoints.access.credentials import Credentials
    from waitpoints.access.drafts import Drafts
    from waitpoints.access.operators import Role
    from waitpoints.access.sessions import Sessions
    from waitpoints.access.urls import Urls
    from waitpoints.aws.api_key_store import ApiKeyStore
    from waitpoints.aws.delivery_store import DeliveryStore
    from waitpoints.aws.due_index import DueIndex
    from waitpoints.aws.endpoint_store import EndpointStore
    from waitpoints.aws.notice_store import NoticeStore
    from waitpoints.aws.services.durable_functions import DurableFunctions
    from waitpoints.aws.services.outputs import Outputs
    from waitpoints.aws.services.queues import DeadLetters, NoticeQueue, TimerQueue
    from waitpoints.aws.services.secrets import ExistingSecrets, RotatingSecret
    from waitpoints.aws.services.step_functions import StepFunctions
    from waitpoints.aws.sign_in_rate import SignInRate
    from waitpoints.aws.store import Store
    from waitpoints.complete_by_key import CompletionsByKey
    from waitpoints.decisions import Decisions
    from waitpoints.doctor.scan import DeleteEnded, Doctor
    from waitpoints.endpoint_cache import EndpointCache
    from waitpoints.endpoint_tally import EndpointTally
    from waitpoints.hand_overs import HandOvers
    from waitpoints.oidc.attempts import Attempts
    from waitpoints.oidc.issuer import Issuer
    from waitpoints.oidc.redemptions import Redemptions
    from waitpoints.resumer import Resumer
    from waitpoints.stream.event_publisher import EventPublisher
    from waitpoints.stream.notice_filter import NoticeFilter
    from waitpoints.timeouts import Limits
    from waitpoints.timers.due import Timers
    from waitpoints.timers.starter import TimerStarter
    from waitpoints.tokens import Tokens

CONNECTIONS = 16  # of each client, and so the waiters of a token that are resumed at once
# Answer before a webhook provider times out, or fail so that it retries. In Lambda, boto3 does not check parameters again that
# tests have checked: that takes a sixth of a call's processor time.
_CONFIG = Config(
    parameter_validation="AWS_LAMBDA_FUNCTION_NAME" not in os.environ,
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=CONNECTIONS,
)
# Every region accepts signature version 4. Virtual-hosted URLs are regional; links to the global host fail outside
# us-east-1.
_S3_CONFIG = _CONFIG.merge(
    Config(signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})
)
# A mail whose answer was lost may be on its way: no call is repeated.
_SES_CONFIG = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))


def now() -> int:
    """The clock: epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Services:
    """The services that handlers use. Each is built on first use; tests replace one by setting the attribute.

    Each property imports its own modules, so a function loads only what it uses.
    """

    def now(self) -> int:
        """The clock: epoch milliseconds."""
        return now()

    @cached_property
    def tokens(self) -> "Tokens":
        from waitpoints.tokens import Tokens

        return Tokens(self.store, self.outputs, self.resumer, self.now)

    @cached_property
    def completions_by_key(self) -> "CompletionsByKey":
        from waitpoints.complete_by_key import CompletionsByKey

        return CompletionsByKey(self.store, self.tokens, self.now)

    @cached_property
    def decisions(self) -> "Decisions":
        from waitpoints.decisions import Decisions

        return Decisions(self.store, self.resumer, self.now)

    @cached_property
    def hand_overs(self) -> "HandOvers":
        from waitpoints.hand_overs import HandOvers

        return HandOvers(self.tokens, self.store, self.now)

    @cached_property
    def resumer(self) -> "Resumer":
        from waitpoints.resumer import Resumer

        return Resumer(self.store, self.outputs, self, self.now, CONNECTIONS)

    @cached_property
    def store(self) -> "Store":
        from waitpoints.aws.short_names import own_executions
        from waitpoints.aws.store import Store

        executions = own_executions(os.environ["API_KEY_SECRET"])  # which is an ARN
        return Store(self.dynamodb_client, os.environ["TABLE_NAME"], self.retention, executions=executions)

    @cached_property
    def doctor(self) -> "Doctor":
        from waitpoints.aws.doctor_store import DoctorStore
        from waitpoints.aws.due_index import DueIndex
        from waitpoints.aws.items import OVERDUE
        from waitpoints.doctor.overdue import Overdue
        from waitpoints.doctor.repair import Repair
        from waitpoints.doctor.scan import Doctor

        overdue = Overdue(DueIndex(self.dynamodb_client, os.environ["TABLE_NAME"], OVERDUE))
        store = DoctorStore(self.dynamodb_client, os.environ["TABLE_NAME"])
        repair = Repair(self.tokens, self.timers, self.store, self.now)
        return Doctor(store, overdue, repair, self.now, self.retention, self._deletion)

    def _deletion(self) -> "DeleteEnded":
        return partial(self.deliveries.delete_ended, self.endpoints.secret_ids())

    @cached_property
    def retention(self) -> int:
        """Seconds for which a settled token is kept."""
        return int(os.environ["RETENTION_DAYS"]) * 86_400

    @cached_property
    def endpoints(self) -> "EndpointStore":
        from waitpoints.aws.endpoint_store import EndpointStore

        return EndpointStore(self.dynamodb_client, os.environ["TABLE_NAME"])

    @cached_property
    def endpoint_cache(self) -> "EndpointCache":
        from waitpoints.endpoint_cache import EndpointCache

        return EndpointCache(self.endpoints.get, self.now)

    @cached_property
    def endpoint_tally(self) -> "EndpointTally":
        from waitpoints.endpoint_tally import EndpointTally

        return EndpointTally(self.endpoints.count, self.now)

    @cached_property
    def deliveries(self) -> "DeliveryStore":
        from waitpoints.aws.delivery_store import DeliveryStore

        table, bucket = os.environ["TABLE_NAME"], os.environ["OUTPUT_BUCKET"]
        return DeliveryStore(self.dynamodb_client, table, lambda: self.s3_client, bucket)

    @cached_property
    def outputs(self) -> "Outputs":
        from waitpoints.aws.services.outputs import Outputs

        return Outputs(lambda: self.s3_client, os.environ["OUTPUT_BUCKET"])

    @cached_property
    def step_functions(self) -> "StepFunctions":
        from waitpoints.aws.services.step_functions import StepFunctions

        return StepFunctions(lambda: self.step_functions_client)

    @cached_property
    def durable_functions(self) -> "DurableFunctions":
        from waitpoints.aws.services.durable_functions import DurableFunctions

        return DurableFunctions(lambda: self.lambda_client)

    @cached_property
    def urls(self) -> "Urls":
        from waitpoints.access.urls import Urls
        from waitpoints.aws.services.secrets import RotatingSecret

        return Urls(os.environ["BASE_URL"], RotatingSecret(self.secrets_client, os.environ["SIGNING_KEY_SECRET"]))

    @cached_property
    def api_url(self) -> str:
        """The API's own URL, for functions that no HTTP request invokes. Other functions take it from the request."""
        return os.environ["API_URL"]

    @cached_property
    def brand(self) -> tuple[str, str]:
        """The name and the colour (`#rrggbb`) that pages show."""
        return os.environ["BRAND_NAME"], os.environ["BRAND_COLOR"]

    @cached_property
    def credentials(self) -> "Credentials":
        from waitpoints.access.credentials import Credentials
        from waitpoints.aws.services.secrets import RotatingSecret

        api_key = RotatingSecret(self.secrets_client, os.environ["API_KEY_SECRET"])
        return Credentials(api_key, os.environ["ENVIRONMENT"], lambda: self.api_key_cache)

    @cached_property
    def api_key_store(self) -> "ApiKeyStore":
        from waitpoints.aws.api_key_store import ApiKeyStore

        return ApiKeyStore(self.dynamodb_client, os.environ["TABLE_NAME"])

    @cached_property
    def api_key_cache(self) -> "ApiKeyCache":
        from waitpoints.access.api_key_cache import ApiKeyCache

        return ApiKeyCache(self.api_key_store.read, self.api_key_store.note_used, self.now)

    def webhook_secret(self, name: str) -> "RotatingSecret":
        """The secret with which a provider signs. `waitpoints secrets put` makes it, and those of channels."""
        from waitpoints.aws.services import secrets

        return self._secret(self.webhook_secret_name(name), secrets.PREVIOUS_FOR)

    def webhook_secret_name(self, name: str) -> str:
        return f"waitpoints/{os.environ['ENVIRONMENT']}/webhooks/{name}"

    def channel_secret(self, name: str) -> "RotatingSecret":
        """The credential of a channel. Only what sends may read it."""
        return self._secret(self.channel_secret_name(name))

    def channel_secret_name(self, name: str) -> str:
        return f"waitpoints/{os.environ['ENVIRONMENT']}/channels/{name}"

    @cached_property
    def existing_secrets(self) -> "ExistingSecrets":
        from waitpoints.aws.services.secrets import ExistingSecrets

        return ExistingSecrets(self.secrets_client)

    def _secret(self, full_name: str, previous_for: int | None = None) -> "RotatingSecret":
        from waitpoints.aws.services.secrets import RotatingSecret

        if full_name not in self._secrets:
            self._secrets[full_name] = RotatingSecret(self.secrets_client, full_name, previous_for)
        return self._secrets[full_name]

    @cached_property
    def _secrets(self) -> "dict[str, RotatingSecret]":
        return {}

    @cached_property
    def channels(self) -> frozenset[str]:
        """The channels of this stack, as `notices.Channel` names them. One that is off has no variable."""
        variables = {"email": "MAIL_FROM", "slack": "SLACK", "teams": "TEAMS"}
        return frozenset(name for name, variable in variables.items() if os.environ.get(variable) not in (None, "", "off"))

    @property
    def mail_from(self) -> str:
        return os.environ["MAIL_FROM"]

    @property
    def slack_api_url(self) -> str:
        """Slack's API, or a stand-in on this machine."""
        return os.environ.get("SLACK_API_URL", "https://slack.com/api")

    @cached_property
    def mail_domains(self) -> tuple[str, ...]:
        """The domains that mails may go to (see `addresses.is_allowed`). None: to any."""
        return tuple(os.environ.get("MAIL_DOMAINS", "").lower().replace(",", " ").split())

    @cached_property
    def sessions(self) -> "Sessions | None":
        """None if nobody can sign in at this stack. Then its modules are not imported."""
        if not (issuer := os.environ.get("OIDC_ISSUER")):
            return None
        from waitpoints.access.sessions import Sessions

        return Sessions(self._session_key, issuer, os.environ["OIDC_CLIENT_ID"], os.environ["BASE_URL"], self.now)

    @cached_property
    def roles(self) -> "tuple[Role, ...]":
        """Who may use the console after a sign-in; the first role that includes somebody is theirs. Empty: nobody."""
        if not os.environ.get("CONSOLE_OPERATORS") and not os.environ.get("CONSOLE_READERS"):
            return ()
        from waitpoints.access.operators import OPERATE, READ, Role

        kinds = (("CONSOLE_OPERATORS", OPERATE), ("CONSOLE_READERS", READ))
        return tuple(Role.of(os.environ[name], actions, os.environ[f"{name}_TAG"]) for name, actions in kinds)

    @cached_property
    def drafts(self) -> "Drafts":
        from waitpoints.access.drafts import Drafts

        assert self.sessions is not None, "only who signs in has a session that ends"
        return Drafts(self._session_key, self.sessions, self.now)

    @property
    def oidc_client(self) -> tuple[str, str] | None:
        """The issuer with which people sign in, and the id of this stack there."""
        issuer = os.environ.get("OIDC_ISSUER")
        return (issuer, os.environ["OIDC_CLIENT_ID"]) if issuer else None

    @property
    def is_behind_cloudfront(self) -> bool:
        return os.environ.get("BEHIND_CLOUDFRONT") == "on"

    @property
    def needs_sign_in(self) -> bool:
        """Whether every new page needs a sign-in."""
        return os.environ.get("SIGN_IN") == "required"

    @cached_property
    def attempts(self) -> "Attempts":
        from waitpoints.oidc.attempts import Attempts

        return Attempts(self._session_key, os.environ["OIDC_ISSUER"], os.environ["OIDC_CLIENT_ID"], self.now)

    @cached_property
    def redemptions(self) -> "Redemptions":
        from waitpoints.oidc.redemptions import Redemptions

        return Redemptions(self.now)

    @cached_property
    def sign_in_rate(self) -> "SignInRate":
        from waitpoints.aws.sign_in_rate import SignInRate

        most = int(os.environ["SIGN_INS_PER_SECOND"])
        return SignInRate(self.dynamodb_client, os.environ["TABLE_NAME"], most, self.now)

    @cached_property
    def issuer(self) -> "Issuer":
        from waitpoints.oidc.issuer import Issuer

        secret = self._secret(f"waitpoints/{os.environ['ENVIRONMENT']}/sign-in/OIDC_CLIENT_SECRET")
        client = os.environ["OIDC_CLIENT_ID"], os.environ["OIDC_SCOPES"]
        return Issuer(os.environ["OIDC_ISSUER"], *client, os.environ["BASE_URL"], secret, self.now)

    @property
    def email_claim(self) -> str:
        """The claim of an ID token that has the person's address."""
        return os.environ["OIDC_EMAIL_CLAIM"]

    @property
    def session_length(self) -> int:
        """Milliseconds."""
        return int(float(os.environ["SIGN_IN_HOURS"]) * 3_600_000)

    @cached_property
    def _session_key(self) -> "RotatingSecret":
        return self._secret(os.environ["SESSION_KEY_SECRET"])

    @cached_property
    def timer_queue(self) -> "TimerQueue":
        from waitpoints.aws.services.queues import TimerQueue

        return TimerQueue(self.sqs_client, os.environ["TIMER_QUEUE_URL"])

    @cached_property
    def timers(self) -> "Timers":
        from waitpoints.timers.due import Timers

        return Timers(self.tokens, self.store, self.timer_queue, self.now)

    @cached_property
    def due_index(self) -> "DueIndex":
        from waitpoints.aws.due_index import DueIndex

        return DueIndex(self.dynamodb_client, os.environ["TABLE_NAME"])

    @cached_property
    def timer_starter(self) -> "TimerStarter":
        from waitpoints.timers.starter import TimerStarter

        return TimerStarter(self.due_index, self.timer_queue, self.now, CONNECTIONS)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        from waitpoints.aws.services.queues import DeadLetters

        return DeadLetters(self.sqs_client, os.environ["DEAD_LETTER_QUEUE_URL"])

    @cached_property
    def event_publisher(self) -> "EventPublisher | None":
        """None if the stack has no event bus. Then its modules are not imported."""
        if not (bus := os.environ.get("EVENT_BUS_NAME")):
            return None
        from waitpoints.aws.services.event_bus import EventBus
        from waitpoints.stream.event_publisher import EventPublisher

        event_bus = EventBus(lambda: self.events_client, bus)
        return EventPublisher(event_bus, self.store, self.dead_letters, self.outputs.bucket, self.now)

    @cached_property
    def notice_queue(self) -> "NoticeQueue | None":
        """None if the stack has no channel. Then its modules are not imported."""
        if not (url := os.environ.get("NOTICE_QUEUE_URL")):
            return None
        from waitpoints.aws.services.queues import NoticeQueue

        return NoticeQueue(self.sqs_client, url)

    @cached_property
    def notice_filter(self) -> "NoticeFilter | None":
        """None, as for `notice_queue`."""
        if self.notice_queue is None:
            return None
        from waitpoints.stream.notice_filter import NoticeFilter

        return NoticeFilter(self.notice_queue, self.dead_letters, self.now)

    @cached_property
    def notice_store(self) -> "NoticeStore":
        from waitpoints.aws.notice_store import NoticeStore

        return NoticeStore(self.dynamodb_client, os.environ["TABLE_NAME"])

    @cached_property
    def timeout_limits(self) -> "Limits":
        from waitpoints.timeouts import Limits

        return Limits(os.environ["DEFAULT_TIMEOUT"], os.environ["MAX_TIMEOUT"])

    dynamodb_client = cached_property(lambda _: _client("dynamodb"))
    events_client = cached_property(lambda _: _client("events"))
    lambda_client = cached_property(lambda _: _failing_fast("lambda"))
    s3_client = cached_property(lambda _: _client("s3", _S3_CONFIG))
    secrets_client = cached_property(lambda _: _client("secretsmanager"))
    ses_client = cached_property(lambda _: _client("sesv2", _SES_CONFIG))
    sqs_client = cached_property(lambda _: _client("sqs"))
    step_functions_client = cached_property(lambda _: _failing_fast("stepfunctions"))

    def build_at_start(self, build: "Callable[[Services], object]") -> None:
        """Build services now if a Lambda function is starting: Lambda does not throttle the CPU during init.

        Name only what every request of the function uses.
        """
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            build(self)
            _collect_garbage_again()

    def reset(self) -> None:
        """Drop every service, for tests that change the environment."""
        vars(self).clear()
        session.cache_clear()


class _Models(Loader):
    """Load only the botocore models that we use. botocore would search the folders of all 400 services first.

    Nor is its older table of every service's hosts read: each service has rules of its own, which decide where its calls go.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        return ["dynamodb", "events", "lambda", "s3", "secretsmanager", "sesv2", "sqs", "stepfunctions"]

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        if name == "endpoints":
            return {"version": 3, "partitions": []}, self.BUILTIN_DATA_PATH
        loaded: tuple[Any, str] = super().load_data_with_path(name)
        return loaded


def _collect_garbage_again() -> None:
    """End the start: `waitpoints/__init__.py` has turned garbage collection off."""
    gc.freeze()  # what exists now is never garbage, so exclude it from collection
    gc.enable()


@cache
def session() -> boto3.Session:
    """Return the session that creates every AWS client."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _Models())
    if os.environ.get("TRACING") == "Active":
        from waitpoints.tracing import trace_calls

        trace_calls(core)
    return boto3.Session(botocore_session=core)


def _client(service: str, config: Config = _CONFIG) -> Any:
    make: Any = session().client
    return make(service, config=config)


def _failing_fast(service: str) -> Any:
    from waitpoints.aws.services import throttling

    return throttling.fails_fast(_client(service))


services = Services()
