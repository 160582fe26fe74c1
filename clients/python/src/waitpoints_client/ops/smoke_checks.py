"""What `waitpoints smoke` checks, in this order, and where to look if a check fails.

A check returns the figure that its line shows. It raises Unexpected with what it saw instead, or Skipped with the reason if it
can't tell.
"""

from collections.abc import Callable
from dataclasses import dataclass

from waitpoints_client.ops import smoke_access as access
from waitpoints_client.ops import smoke_endpoints as endpoints
from waitpoints_client.ops import smoke_requests as requests
from waitpoints_client.ops import smoke_upkeep as upkeep
from waitpoints_client.ops import smoke_waits as waits
from waitpoints_client.ops.caller import Caller


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[Caller], str]
    advice: str
    """What to do when it fails."""
    needs: str = ""
    """The check that must pass before this one runs."""


_LOGS = "search the stack's log group for the token's id"
_MAY_RESUME = "see `reason` in the log: ResumableStateMachines must cover the state machine"
_CREATES = "creates a token"
_RESUMES = "resumes with what is posted"
_BEGINS_LONG = "begins a long timeout"
_LIMITS_KEY = "limits a named key"
_REVOKED = "refuses a revoked key"


def _with_token(name: str, run: Callable[[Caller], str], advice: str) -> Check:
    """Return a check that needs a token."""
    return Check(name, run, advice, _CREATES)


CHECKS = (
    Check("is switched on", upkeep.is_switched_on, "switch on what it names, or deploy the template again"),
    Check(_CREATES, waits.creates, f"check CreateToken, RetrieveToken, ApiUrl, ApiKeySecret and PublicBaseUrl; {_LOGS}"),
    _with_token(_BEGINS_LONG, waits.begins_a_long_timeout, "wait until the index `due` is ACTIVE, then run it again"),
    Check(
        "refuses a wrong API key",
        requests.refuses_a_wrong_key,
        "check any proxy in front of ApiUrl: the API itself answers 401",
    ),
    _with_token(_RESUMES, waits.resumes, f"check WaitForToken, AcceptCallback and its secret SigningKey; {_MAY_RESUME}"),
    _with_token("resumes at once if completed before", waits.resumes_at_once, f"check WaitForToken; {_MAY_RESUME}"),
    _with_token(
        "resumes by the stream alone",
        waits.resumes_by_the_stream,
        "after a first deployment wait, and run it again; check ResumeWaiters, its role, its mapping of the table's stream and "
        "the mapping's filter; see ResumeStoppedAlarm",
    ),
    _with_token(
        "moves a timeout",
        waits.moves_a_timeout,
        "check MoveDeadline, TimerQueue and its policy, ExpireTokens and its mapping of the queue",
    ),
    _with_token(
        "times out",
        waits.times_out,
        "if \"moves a timeout\" passed, check ScheduleTimeouts, its mapping of the table's stream and the mapping's filter; "
        "see TimersStoppedAlarm",
    ),
    _with_token("refuses a wrong callback hash", requests.refuses_a_wrong_hash, "do not use the stack: check SigningKey"),
    _with_token("deletes a token", requests.deletes_a_token, f"check DeleteToken, its role and its route; {_LOGS}"),
    _with_token("takes a form", requests.takes_a_form, "check AcceptCallback, and any proxy that changes bodies"),
    _with_token(
        "accepts a signature",
        requests.accepts_a_signature,
        "check that CreateToken and AcceptCallback have WebhookSecretPolicy, and any proxy that changes bodies",
    ),
    _with_token(
        "completes by an endpoint",
        endpoints.completes_by_an_endpoint,
        "check PutEndpoint, RetrieveEndpoint, AcceptDelivery, DeleteEndpoint and their routes",
    ),
    _with_token(
        "records deliveries",
        endpoints.records_deliveries,
        "check ListEndpoints, TryEndpoint, AcceptDelivery, ListDeliveries, RetrieveDelivery, ResendDelivery, DeleteDeliveries, "
        "their roles and routes",
    ),
    _with_token(
        _LIMITS_KEY,
        access.limits_a_named_key,
        "check CreateApiKey, ListApiKeys, RevokeApiKey, and the policy NamedKeyPolicy of the API's functions",
    ),
    _with_token("answers browsers", requests.answers_browsers, "check ShowCallback, CompleteToken and the API's routes"),
    Check("shows the console", requests.shows_the_console, "check ShowConsole, its concurrency and its routes"),
    _with_token(
        "gives a link to a large output",
        requests.downloads_a_large_output,
        "check GetPacket, and the bucket's policy and region",
    ),
    _with_token("answers a key with its token", requests.answers_a_key_with_its_token, f"check CreateToken; {_LOGS}"),
    _with_token("completes by a key", requests.completes_by_a_key, "check CompleteByKey, its role and its route"),
    _with_token(
        "creates and completes in states",
        requests.creates_and_completes_in_states,
        "check CreateTokenInState and its API_URL, CompleteTokenInState and its role",
    ),
    _with_token(
        "makes public tokens",
        access.makes_public_tokens,
        "check PublicTokenClaims, CreatePublicToken, MintPublicToken, CompleteToken and the secret ApiKey",
    ),
    _with_token(
        "leads to the issuer",
        access.leads_to_the_issuer,
        "check OidcIssuer, which must be exactly what the issuer's discovery document says; BeginSignIn, FinishSignIn, "
        "SignOut, BeginSession",
    ),
    _with_token(
        "lists by tag",
        requests.finds_the_tag,
        "check ListTokens, and wait until the table's indexes `list` and `idempotencyKey` are ACTIVE",
    ),
    Check(
        "resumes promptly",
        waits.resumes_promptly,
        "check that AcceptCallback has ResumePolicy; see `reason` in the log",
        _RESUMES,
    ),
    _with_token(
        "puts events",
        upkeep.puts_events,
        "check that the bus exists, and that ResumeWaiters may put events on it: see `reason` in the log",
    ),
    _with_token("sends a mail", requests.sends_a_mail, "check SendNotices, its queue, and MailFrom's identity in SES"),
    Check("has nothing undone", upkeep.has_nothing_undone, "check the Doctor and the index `due`, fix the cause, then redrive"),
    _with_token(
        "logs no error", upkeep.logs_no_error, "read the log group; if it is empty, check the functions' LoggingConfig"
    ),
    _with_token(
        "logs metrics, not each invocation",
        upkeep.logs_metrics_but_not_each_invocation,
        "check the functions' LoggingConfig: LogFormat must be JSON, SystemLogLevel WARN, ApplicationLogLevel INFO",
    ),
    Check(
        "can resume durable functions",
        upkeep.can_resume_durable_functions,
        "check ResumeWaiters; add boto3 to the layer until Lambda updates its own",
    ),
    Check(
        _REVOKED, access.refuses_a_revoked_key, "revoke it again, and check RevokeApiKey: the key may still work", _LIMITS_KEY
    ),
    Check(
        "times out after long",
        waits.times_out_after_long,
        "see StartTimers in the log, that its schedule is on, and TimersBehindAlarm",
        _BEGINS_LONG,
    ),
)
QUICK = tuple(check for check in CHECKS if check.name not in (_BEGINS_LONG, "times out after long", _REVOKED))
"""Without what waits for minutes: the long timeout, and a key that functions remember."""
