"""Run MiniStack on one loopback port, with the deployed API at the root of the same port.

MiniStack serves an HTTP API under `/_aws/execute-api/<id>/$default/` and at `<id>.execute-api.localhost`. Neither makes
a callback URL that can be copied: a shell expands `$default`, and not every resolver knows `*.localhost`. Requests to
`/api/v1/` and `/console` are therefore rewritten to the first form.

What is mended is in `*_mends.py`, and of state machines' executions in `interpreter/`.

Usage: python -m waitpoints_local.emulator PORT API_ID_FILE PARENT_PID DECISIONS_FILE LOCK_FILE [OUTLIVES_FILE]. The deploying
process writes the first file, the emulator the second one. It locks the third one as long as it lives. It ends with its
parent, unless the last file exists then. Its environment has the root user's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
and may have WAITPOINTS_HOST, one more name at which the API answers.
"""

import asyncio
import json
import os
import re
import string
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import yaml

from waitpoints_local import (
    admission,
    clock_route,
    database_mends,
    definition_mends,
    durable_mends,
    event_mends,
    log_mends,
    mail_mends,
    mapping_mends,
    process_mends,
    role_mends,
    storage_mends,
    throttle,
)
from waitpoints_local.admission import API_BY_PATH, API_PATHS, ONE_MORE_HOST, App, Hosts, LeadsToApi, Scope
from waitpoints_local.callers import FindFailure, KeyPair, known_only
from waitpoints_local.durable_clock import DurableExecutions
from waitpoints_local.interpreter import engine, stand_ins
from waitpoints_local.interpreter.services import Services
from waitpoints_local.interpreter.tokens import machine_of
from waitpoints_local.own_route import with_route
from waitpoints_local.turns import hold

WORKERS = 2 + 2 * (os.cpu_count() or 1)
_LAST_LINE_OF_TRACE = re.compile(r"^(?:\w+\.)*?((?:(?:Lambda|States)\.)?[A-Za-z_]\w*)(?::.*)?\s*\Z", re.MULTILINE)
"""A module's name comes before an exception's, unless a function has called the exception as AWS calls its own errors."""


def with_api_at_root(app: App, api_id_file: Path, hosts: Hosts) -> App:
    """Serve the API of the file at this machine's root, not at that of another API's name."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        is_of_api = scope["type"] == "http" and scope["path"].startswith(API_PATHS)
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1") if is_of_api else ""
        if is_of_api and hosts.have(host) and api_id_file.exists():
            prefix = f"{API_BY_PATH}{api_id_file.read_text()}/$default"
            scope = {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + scope["raw_path"]}
        await app(scope, receive, send)

    return serve


def with_throttled_resumes(app: App, quota_file: Path) -> App:
    """Throttle SendTaskSuccess as AWS does above the account's quota, while a test of bursts has written one."""
    buckets: dict[tuple[float, float], throttle.TokenBucket] = {}

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        is_resume = scope["type"] == "http" and (b"x-amz-target", b"AWSStepFunctions.SendTaskSuccess") in scope["headers"]
        if is_resume and (quota := throttle.quota_in(quota_file)):
            bucket = buckets.setdefault(quota, throttle.TokenBucket(*quota, time.monotonic()))
            if not bucket.take(time.monotonic()):
                await _answer_throttled(receive, send)
                return
        await app(scope, receive, send)

    return serve


async def _answer_throttled(receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/x-amz-json-1.0")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'})


class _Method(str):
    """OPTIONS that does not equal "OPTIONS", so that MiniStack routes it to ANY like every other method."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


def lead_options_to_their_route(apigateway: Any) -> None:
    """Lead OPTIONS to the route's function if the API has no CORS configuration, as AWS does.

    MiniStack 1.5.33 answers it with 403.
    """
    handle = apigateway._handle_execute_in_scope

    async def handle_options(api_id: str, stage: str, path: str, method: str, *rest: Any, **named: Any) -> Any:
        has_cors = apigateway._apis.get(api_id, {}).get("corsConfiguration")
        method = _Method(method) if method == "OPTIONS" and not has_cors else method
        return await handle(api_id, stage, path, method, *rest, **named)

    apigateway._handle_execute_in_scope = handle_options


def set_cookies_apart(lambda_svc: Any) -> None:
    """Give a request's cookies in the event's `cookies`, and not among its `headers`, as payload format 2.0 does.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html: "All cookie headers
    in the request are combined with commas and added to the cookies field." MiniStack 1.5.33 leaves them in the header.
    """
    execute = lambda_svc._execute_function_with_config_scope

    def execute_with_cookies(record: Any, event: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(event, dict) and event.get("version") == "2.0" and "cookie" in event.get("headers", {}):
            headers = dict(event["headers"])
            event = {**event, "cookies": re.split("; *", headers.pop("cookie")), "headers": headers}
        return execute(record, event, *rest, **named)

    lambda_svc._execute_function_with_config_scope = execute_with_cookies


def name_errors_of_functions(lambda_svc: Any) -> None:
    """Name a function's error after the exception, as AWS does. MiniStack 1.5.33 names every one `Runtime.HandlerError`."""
    execute = lambda_svc._execute_function_with_config_scope

    def execute_with_named_error(*args: Any, **named: Any) -> Any:
        result = execute(*args, **named)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            raised = _LAST_LINE_OF_TRACE.search(result.get("log", ""))
            return {**result, "body": {**body, "errorType": raised[1] if raised else "Lambda.Unknown"}}
        return result

    lambda_svc._execute_function_with_config_scope = execute_with_named_error


_AS_PAYLOAD = """
def _as_payload(result):
    if not isinstance(result, bytes):
        return result
    try:
        return __import__("json").loads(result)
    except ValueError:
        return result.decode()

"""


def take_bytes_from_functions(lambda_runtime: Any) -> None:
    """Take bytes for the result's JSON or text, and decimals, as AWS's runtime does (recorded: services/test_lambda_task.py).

    MiniStack 1.5.33 fails with a TypeError.
    """
    written = 'json.dumps({"status": "ok", "result": result}'
    plain = 'json.dumps({"status": "ok", "result": _as_payload(result)}, default=float'
    script = lambda_runtime._PYTHON_WORKER_SCRIPT.replace(written, plain)
    lambda_runtime._PYTHON_WORKER_SCRIPT = _AS_PAYLOAD + script


def authorize_tasks_by_their_machine(iam_actions: Any) -> None:
    """Authorize SendTaskSuccess and its kind against the ARN of the token's state machine, as AWS does.

    CDK's `grantTaskResponse` and SAM's StepFunctionsCallbackPolicy allow no more. MiniStack 1.5.33 asks about `*`.
    """
    resource_arn = iam_actions.extract_resource_arn

    def resource_arn_of_task(service: str, method: str, path: str, *rest: Any, **named: Any) -> str:
        body = next((part for part in (*rest, *named.values()) if isinstance(part, bytes)), b"")
        if service == "states" and b'"taskToken"' in body and (machine := machine_of(json.loads(body).get("taskToken"))):
            return machine
        return str(resource_arn(service, method, path, *rest, **named))

    iam_actions.extract_resource_arn = resource_arn_of_task


def authorize_schedules_in_their_group(iam_actions: Any) -> None:
    """Authorize CreateSchedule against the schedule's own group, as AWS does.

    MiniStack 1.5.33 assumes the group `default`, because it does not read the group from the request's body.
    """
    resource_arn = iam_actions.extract_resource_arn

    def resource_arn_with_group(service: str, method: str, path: str, *rest: Any, **named: Any) -> str:
        arn = str(resource_arn(service, method, path, *rest, **named))
        if service != "scheduler" or ":schedule/default/" not in arn:
            return arn
        body = next((part for part in (*rest, *named.values()) if isinstance(part, bytes)), b"")
        group = json.loads(body or b"{}").get("GroupName", "default")
        return arn.replace(":schedule/default/", f":schedule/{group}/")

    iam_actions.extract_resource_arn = resource_arn_with_group


def authorize_batches_as_messages(iam_actions: Any) -> None:
    """Ask a role's policies about a batch of messages as about one: SQS has the action SendMessage for both, and so on.

    MiniStack 1.5.33 asks about actions such as SendMessageBatch, which do not exist.
    """
    action_of = iam_actions.extract_iam_action

    def action(service: str, *rest: Any, **named: Any) -> Any:
        found = action_of(service, *rest, **named)
        return found.removesuffix("Batch") if service == "sqs" and found else found

    iam_actions.extract_iam_action = action


def exclude_punctuation(provisioners: Any) -> None:
    """Generate secrets without punctuation if the template asks for it, as AWS does.

    MiniStack 1.5.33 ignores ExcludePunctuation in a template. A key that contains a quote is hard to paste in a shell.
    """
    generate = provisioners._sm_secret_string

    def generate_as_asked(properties: dict[str, Any]) -> str:
        rules = properties.get("GenerateSecretString") or {}
        if rules.get("ExcludePunctuation"):
            rules = {**rules, "ExcludeCharacters": string.punctuation}
        return str(generate({**properties, "GenerateSecretString": rules}))

    provisioners._sm_secret_string = generate_as_asked


def make_alarms_on_expressions(provisioners: Any) -> None:
    """Make an alarm on an expression, too, as AWS does. Here it never goes on.

    MiniStack 1.5.33 knows no metric math, and refuses a template with it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html, Metrics
    """
    record = provisioners._cw_metric_alarm_record

    def record_any(name: str, properties: dict[str, Any]) -> Any:
        metrics = properties.get("Metrics")
        if not metrics:
            return record(name, properties)
        [expression] = [metric["Id"] for metric in metrics if "Expression" in metric]
        usual = {key: value for key, value in properties.items() if key != "Metrics"}
        return record(name, {**usual, "Namespace": "expressions", "MetricName": expression})

    provisioners._cw_metric_alarm_record = record_any


def import_routes(provisioners: Any) -> None:
    """Import routes and integrations from an HTTP API's OpenAPI `Body`, where SAM puts `HttpApi` events.

    AWS imports them when it creates the API and whenever the `Body` changes. MiniStack 1.5.33 ignores the `Body`.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create, update = handlers["create"], handlers["update"]

    apis = provisioners._apigw_v2

    def import_body(api_id: str, properties: dict[str, Any], stack_name: str) -> None:
        imported = f"{api_id} imported"  # built apart, because requests arrive while a stack is updated
        for path, operations in properties.get("Body", {}).get("paths", {}).items():
            for method, operation in operations.items():
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                integration = {"ApiId": imported, "IntegrationUri": operation["x-amazon-apigateway-integration"]["uri"]}
                target, _ = provisioners._apigw_v2_integration_create(path, integration, stack_name)
                route = {"ApiId": imported, "RouteKey": f"{verb} {path}", "Target": f"integrations/{target}"}
                provisioners._apigw_v2_route_create(path, route, stack_name)
        apis._integrations.setdefault(api_id, {}).update(apis._integrations.pop(imported, {}))
        apis._routes[api_id] = apis._routes.pop(imported, {})

    def create_with_routes(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        api_id, attributes = create(logical_id, properties, stack_name)
        import_body(api_id, properties, stack_name)
        return api_id, attributes

    def update_with_routes(physical_id: str, before: Any, properties: dict[str, Any], stack_name: str, *rest: Any) -> Any:
        api_id, attributes = update(physical_id, before, properties, stack_name, *rest)
        import_body(api_id, properties, stack_name)
        return api_id, attributes

    handlers["create"], handlers["update"] = create_with_routes, update_with_routes


def close_default_endpoints(app_module: Any, apigateway: Any, provisioners: Any) -> None:
    """Answer 404 at an API's own address once its `Body` disables it, where SAM writes `DisableExecuteApiEndpoint`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-endpoint-configuration.html and
    https://repost.aws/knowledge-center/api-gateway-disable-endpoint. MiniStack 1.5.33 ignores it, and the API's property, too.
    """
    handlers, execute = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"], app_module._handle_execute_api_request
    create, update = handlers["create"], handlers["update"]

    def close(made: tuple[str, Any], properties: dict[str, Any]) -> Any:
        for server in properties.get("Body", {}).get("servers", []):
            configured = server.get("x-amazon-apigateway-endpoint-configuration", {})
            apigateway._apis[made[0]]["disableExecuteApiEndpoint"] = configured.get("disableExecuteApiEndpoint") is True
        return made

    async def execute_if_open(host: str, path: str, *rest: Any, **named: Any) -> Any:
        own = app_module._parse_execute_api_url(host, path)
        if own and apigateway._apis.get(own[0], {}).get("disableExecuteApiEndpoint"):
            return apigateway._http_api_not_found()
        return await execute(host, path, *rest, **named)

    handlers["create"] = lambda name, properties, stack: close(create(name, properties, stack), properties)
    handlers["update"] = lambda name, old, new, *rest: close(update(name, old, new, *rest), new)
    app_module._handle_execute_api_request = execute_if_open


def update_between_invocations(lambda_svc: Any, lambda_runtime: Any) -> None:
    """Let invocations finish while their function is updated, and give every later one the new code, as AWS does.

    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html. MiniStack 1.5.33 kills the processes of running
    invocations. One that waits for a process meanwhile starts it with the old code, which then serves later ones, too.
    """
    acquire, release, leaving = lambda_svc.acquire_worker, lambda_svc.release_worker, set[Any]()

    def acquire_current(name: str, config: Any, code: Any, qualifier: str = "$LATEST", **named: Any) -> Any:
        if qualifier == "$LATEST" and (function := lambda_svc._functions.get(name)):
            config, code = function["config"], function["code_zip"]
        return acquire(name, config, code, qualifier=qualifier, **named)

    def invalidate_worker(name: str, qualifier: str | None = None, **scope: Any) -> None:
        with lambda_runtime._lock:
            keys = [key for key in lambda_runtime._workers if _is_of(key, name, qualifier)]
            workers = [worker for key in keys for worker in lambda_runtime._workers.pop(key)]
            running = {worker for worker in workers if worker.in_use and not (worker._proc and worker._proc.poll() is not None)}
            leaving.update(running)
        lambda_runtime.kill_workers([worker for worker in workers if worker not in running])

    def release_worker(worker: Any) -> None:
        release(worker)
        if worker in leaving:
            leaving.discard(worker)
            lambda_runtime.kill_workers([worker])

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_current, release_worker
    lambda_svc.invalidate_worker = invalidate_worker


def _is_of(worker_key: str, name: str, qualifier: str | None) -> bool:
    *_, function, version = worker_key.split(":")
    return function == name and qualifier in (None, version)


def update_stacks_beside_requests(stacks: Any) -> None:
    """Answer requests while a stack is created or updated, one resource after the other, as AWS does.

    MiniStack 1.5.33 answers none until the whole update is done, except for the types that it provisions in a thread.
    """
    stacks._runs_on_worker_thread = lambda _: True


def let_invocations_queue(lambda_svc: Any) -> None:
    """Run at most WORKERS processes per function; a further invocation waits for a free one.

    MiniStack starts a process for each concurrent invocation. AWS easily handles a hundred requests at once, but a
    hundred starting Python processes keep one machine busy for minutes.
    """
    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker
    turns: dict[tuple[str, str], threading.Semaphore] = {}
    here = threading.local()  # MiniStack releases a process in the thread that has acquired it

    def acquire_in_turn(name: str, config: Any, code: Any, qualifier: str = "$LATEST", **named: Any) -> Any:
        turn = turns.setdefault((name, qualifier), threading.Semaphore(WORKERS))
        turn.acquire()
        here.taken = [*getattr(here, "taken", []), turn]
        try:
            return acquire(name, config, code, qualifier=qualifier, **named)
        except BaseException:
            here.taken.pop().release()
            raise

    def release_turn(worker: Any) -> None:
        release(worker)
        here.taken.pop().release()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_in_turn, release_turn


def name_log_events(cloudwatch_logs: Any) -> None:
    """Give each event of a log an `eventId`, which FilterLogEvents returns and a program knows it again by.

    AWS gives every event one. MiniStack 1.5.33 gives none to what functions log.
    """
    append = cloudwatch_logs._append_log_events

    def append_named(stream: Any, events: Any) -> None:
        append(stream, [{"eventId": uuid.uuid4().hex, **event} for event in events])

    cloudwatch_logs._append_log_events = append_named


def count_as_tls(app_module: Any) -> None:
    """Let `aws:SecureTransport` be true for every request: nobody else reads what is sent over the loopback interface.

    The bucket's policy denies requests without TLS, and the local run has no certificate.
    """
    pin = app_module.pin_request_origin
    app_module.pin_request_origin = lambda source_ip, _: pin(source_ip, True)


def record_decisions(iam_evaluator: Any, path: Path) -> None:
    """Append each decision about a role to a file, once: the ARN of the role's session, the action, and what IAM decided."""
    evaluate, enforce = iam_evaluator.evaluate, iam_evaluator.enforce
    seen: set[tuple[str, str, str]] = set()
    request: ContextVar[list[Any]] = ContextVar("request")

    def evaluate_and_note(context: Any, *policies: Any) -> Any:
        request.get([]).append(context)
        return evaluate(context, *policies)

    def enforce_and_record(*args: Any, **named: Any) -> Any:
        evaluated: list[Any] = []
        request.set(evaluated)
        denied = enforce(*args, **named)
        if evaluated:  # by the role's policies, and then by the resource's: nothing is evaluated for the root user
            decision = (evaluated[0].principal_arn, evaluated[0].action, denied.decision if denied else "Allow")
            if decision not in seen:
                seen.add(decision)
                with open(path, "a") as file:
                    file.write(json.dumps(decision) + "\n")
        return denied

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate_and_note, enforce_and_record


def end_with_parent(parent: int, unless: str = "") -> None:
    """Exit when the parent process ends, however it ends, unless this file exists then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        if not (unless and os.path.exists(unless)):
            os.killpg(os.getpgid(0), 9)

    threading.Thread(target=watch, daemon=True).start()


def parse_quickly() -> None:
    """Parse YAML with libyaml where there is one: MiniStack's loader of templates is made from this class."""
    vars(yaml)["SafeLoader"] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_SERVICES = "apigateway cloudwatch_logs dynamodb eventbridge lambda_durable lambda_svc s3 ses_v2 sqs stepfunctions"
_MINISTACK = {
    "app_module": "app",
    "esm_wake": "core.concurrency.esm_wake",
    **{name: f"core.{name}" for name in ("iam_actions", "iam_evaluator", "lambda_runtime", "router")},
    **{name: f"services.cloudformation.{name}" for name in ("provisioners", "stacks")},
    **{name: f"services.{name}" for name in _SERVICES.split()},
}
"""The modules and objects of MiniStack that are mended, by the names of the mends' parameters."""


def modules() -> dict[str, Any]:
    parse_quickly()
    return {name: resolve_name(f"ministack.{path}") for name, path in _MINISTACK.items()}  # it reads its environment on import


def apply(mend: Callable[..., None], found: dict[str, Any]) -> None:
    mend(**{name: found[name] for name in signature(mend).parameters if name in found})


def mends(decisions: Path) -> Sequence[Callable[..., None]]:
    """Return the mends, in the order in which they must be made."""
    return (
        count_as_tls,
        partial(record_decisions, path=decisions),
        lead_options_to_their_route,
        set_cookies_apart,
        mapping_mends.gather_batches,
        mapping_mends.match_what_is_absent,
        mapping_mends.match_one_of_several,
        mapping_mends.retry_failed_records,
        name_errors_of_functions,
        take_bytes_from_functions,
        authorize_tasks_by_their_machine,
        authorize_schedules_in_their_group,
        authorize_batches_as_messages,
        role_mends.keep_permissions_boundaries,
        exclude_punctuation,
        make_alarms_on_expressions,
        import_routes,
        close_default_endpoints,
        update_between_invocations,
        update_stacks_beside_requests,
        partial(process_mends.start_few_at_once, at_once=os.cpu_count() or 1),
        let_invocations_queue,  # outside of the one before: a wait for a free process does not hold up a start
        partial(process_mends.unpack_once, folder=Path(tempfile.gettempdir()) / "unpacked"),
        *process_mends.MENDS,
        *database_mends.MENDS,
        name_log_events,
        *log_mends.MENDS,
        storage_mends.store_as_s3_does,
        mail_mends.keep_raw_mails,
        mail_mends.authorize_by_the_sender,
        event_mends.refuse_malformed_entries,
        mapping_mends.poll_without_rest,
        durable_mends.make_durable_functions,
        durable_mends.name_started_executions,
        durable_mends.take_zero_for_no_timeout,
        durable_mends.count_attempts,
        partial(durable_mends.run_executions_side_by_side, at_once=WORKERS),
        durable_mends.tell_why_an_invocation_failed,
        durable_mends.take_results_of_a_mebibyte,
        durable_mends.close_callbacks_with_their_execution,
        durable_mends.authorize_callbacks,
        definition_mends.find_what_is_wrong,
    )


def _mended(decisions: Path) -> tuple[App, LeadsToApi, FindFailure]:
    """Return MiniStack with every mend, how it finds an API, and whom it refuses."""
    found = modules()

    from waitpoints_local.signatures import find_failure  # noqa: PLC0415 - it imports MiniStack

    for mend in mends(decisions):
        apply(mend, found)
    app_module = found["app_module"]
    services = Services()
    engine.run_executions(found["stepfunctions"], services)
    find = clock_route.finding(found["stepfunctions"], DurableExecutions(found["lambda_durable"], durable_mends.at_work.has))
    app = with_route(services.through(app_module.app), clock_route.PATH, clock_route.answering(find))
    app = with_route(app, stand_ins.PATH, stand_ins.answer)

    def leads_to_api(host: str, path: str) -> Any:
        return app_module._parse_execute_api_url(host, path) or app_module._resolve_custom_domain_request(host, path)

    return app, leads_to_api, find_failure


def main() -> None:
    port, parent = sys.argv[1], int(sys.argv[3])
    api_id_file, decisions, lock_file = (Path(sys.argv[place]) for place in (2, 4, 5))
    os.umask(0o077)
    hold(lock_file)
    os.environ.update(GATEWAY_PORT=port, BIND_HOST="127.0.0.1", AUTH="true", LOG_LEVEL="WARNING")
    os.environ["IOT_MTLS_ENABLED"] = "0"  # which would listen on all interfaces
    os.environ["POWERTOOLS_LOG_LEVEL"] = "INFO"  # functions inherit LOG_LEVEL, which is meant for MiniStack
    end_with_parent(parent, *sys.argv[6:])

    from hypercorn.asyncio import serve  # noqa: PLC0415 - after the environment is set, as MiniStack
    from hypercorn.config import Config  # noqa: PLC0415 - as above

    app, leads_to_api, find_failure = _mended(decisions)
    root = KeyPair(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.backlog = 1024
    throttled = with_throttled_resumes(app, throttle.file_of(api_id_file.parent, int(port)))
    own = known_only(throttled, root, find_failure)
    hosts = Hosts(os.environ.get(ONE_MORE_HOST, ""))
    admitted = admission.admit(throttled, own, leads_to_api, hosts)  # which sees the paths that MiniStack gets
    asyncio.run(serve(with_api_at_root(admitted, api_id_file, hosts), config))


if __name__ == "__main__":
    main()
