"""What moto 5.2.5's interpreter does otherwise than AWS, one function for each mend.

What AWS does is in the States Language (https://states-language.net), in the Step Functions guide, and in what LocalStack has
recorded of AWS: "recorded" names a test under `tests/aws/services/stepfunctions/v2` of its repository.
"""

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from waitpoints_local.interpreter.bare import failure, part, put_in_place_of, runtime_failure, state
from waitpoints_local.interpreter.intrinsics import evaluate_intrinsic_functions
from waitpoints_local.interpreter.paths import missing, read_paths

RUNTIME, QUERY, TIMEOUT = "States.Runtime", "States.QueryEvaluationError", "States.Timeout"
RESULT_PATH = "States.ResultPathMatchFailure"
LARGEST = 262_144  # bytes
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def instant(text: Any) -> datetime | None:
    """Read a timestamp with its zone. moto reads it as local time, and none with a fraction or an offset."""
    try:
        return datetime.fromisoformat(text) if TIMESTAMP.fullmatch(text) else None
    except (ValueError, TypeError):
        return None


def wait_for_a_year_between_heartbeats() -> None:
    """Give a state with HeartbeatSeconds alone the default timeout, as the guide says. moto gives it 60 seconds."""
    execution, timeout = (
        state("exec.execute_state").ExecutionState,
        part("asl.component.common.timeouts.timeout").TimeoutSeconds,
    )
    from_props = execution.from_state_props

    def from_state_props(self: Any, state_props: Any) -> None:
        from_props(self, state_props)
        if getattr(self.timeout, "is_default", None):
            self.timeout = timeout(timeout.DEFAULT_TIMEOUT_SECONDS)

    execution.from_state_props = from_state_props


def match_errors_as_aws_does() -> None:
    """Let no Retry and no Catch match States.Runtime.

    "A retry or catch on States.ALL will not catch States.Runtime errors" (guide, "Handling errors"); nor does one on
    States.Runtime (recorded: scenarios/test_base_scenarios.py, test_catch_states_runtime). States.TaskFailed matches every
    error but States.Timeout. An error of a branch keeps its name, which moto refuses if it is one of Step Functions' own. One
    without a name has null (recorded: callback/test_callback.py, test_sqs_failure_in_wait_for_task_tok_no_error_field).
    """
    names = part("asl.component.common.error_name.error_name").ErrorName
    part("asl.component.common.error_name.custom_error_name").CustomErrorName.__init__ = names.__init__
    names.is_heartbeat = False
    heartbeat = part("asl.eval.callback.callback").HeartbeatTimeoutError

    def evaluate(self: Any, env: Any) -> None:
        error = env.stack.pop()
        name, listed = error.error_name if error else None, [it.error_name for it in self.error_names]
        matches = name in listed or "States.ALL" in listed or ("States.TaskFailed" in listed and name != TIMEOUT)
        matches = matches or (error is not None and error.is_heartbeat and "States.HeartbeatTimeout" in listed)
        env.stack.append(bool(matches and name != RUNTIME))

    def naming(from_error: Any) -> Any:
        def from_error_named(self: Any, env: Any, ex: Exception) -> Any:
            event = from_error(self, env=env, ex=ex)
            if isinstance(ex, heartbeat):
                event.error_name.is_heartbeat = True
            return event

        return from_error_named

    failures = part("asl.component.common.error_name.failure_event").FailureEventException
    details = failures.get_execution_failed_event_details

    def details_with_null(self: Any) -> Any:
        found = details(self)
        told: dict[str, Any] = next(iter((self.failure_event.event_details or {}).values()), {})
        if found and self.failure_event.state_name is None and told.get("cause"):  # of an item, which has named its state
            found["cause"] = told["cause"]
        return found if found is None else {**{key: None for key in ("error", "cause") if told.get(key, "") is None}, **found}

    failures.get_execution_failed_event_details = details_with_null
    part("asl.component.common.error_name.error_equals_decl").ErrorEqualsDecl._eval_body = evaluate
    for name, of in (("state_task", "StateTask"), ("state_task_activitiy", "StateTaskActivity")):
        task = getattr(state(f"exec.state_task.{name}"), of)
        task._from_error = naming(task._from_error)


def name_unforeseen_failures() -> None:
    """Fail with States.Runtime for a path that leads nowhere, also where moto takes it for a failure of the service.

    The cause names the field that has the path: moto knows it no longer outside the task, and gives an Assign's the name of a
    class.
    """
    execute, nowhere = state("exec.execute_state").ExecutionState, part("asl.utils.json_path").NoSuchJsonPathError
    evaluate, component = execute._evaluate_with_timeout, part("asl.component.eval_component").EvalComponent
    evaluate_component = component.eval

    def evaluate_or_fail(self: Any, env: Any) -> None:
        try:
            evaluate(self, env)
        except nowhere as error:
            raise missing(env, error.json_path, error.data, error.field) from error

    def evaluate_noting_the_field(self: Any, env: Any) -> None:
        try:
            evaluate_component(self, env)
        except nowhere as error:
            error.field = error.field or env.next_field_name
            raise

    nowhere.field = None
    execute._evaluate_with_timeout, component.eval = evaluate_or_fail, evaluate_noting_the_field
    for name in ("AssignTemplateBindingStringExpressionSimple", "AssignTemplateBindingValue"):
        binding = getattr(part("asl.component.common.assign.assign_template_binding"), name)
        binding._field_name = lambda self: self.identifier + (".$" if hasattr(self, "string_expression_simple") else "")
    state("choice.comparison.comparison_func").ComparisonFuncValue._field_name = lambda self: self.operator_type.name


def fail_without_a_next_state() -> None:
    """Fail a Choice whose rules do not match, and that has no Default, with States.Runtime and AWS's words.

    Two engines with tests against AWS name it so. The States Language calls it States.NoChoiceMatched.
    """
    choice = state("choice.state_choice").StateChoice
    choose = choice._eval_state

    def choose_or_fail(self: Any, env: Any) -> None:
        try:
            choose(self, env)
        except RuntimeError:
            about = "Failed to transition out of the state. The state does not point to a next state."
            why = "No rule of Choices matches (States.NoChoiceMatched), and there is no Default."
            raise runtime_failure(env, f"{about} {why}") from None

    choice._eval_state = choose_or_fail


def fail_to_read_items() -> None:
    """Fail with States.ItemReaderFailed if what an ItemReader names cannot be read (guide, "Error names").

    A listing without objects has no items.
    """
    reader = state("exec.state_map.item_reader.item_reader_decl").ItemReader
    source = state("exec.state_map.item_reader.eval.resource_eval_s3")
    read, nowhere = reader._eval_body, part("asl.utils.json_path").NoSuchJsonPathError
    failures = part("asl.component.common.error_name.failure_event").FailureEventException

    def read_or_fail(self: Any, env: Any) -> None:
        try:
            read(self, env)
        except (failures, nowhere):
            raise
        except Exception as error:
            told, about = getattr(error, "response", {}).get("Error"), "The items have another form than ReaderConfig says"
            about = f"{told['Message']} (Error Code: {told['Code']})" if told else about
            raise failure(env, "States.ItemReaderFailed", about, "MapRunFailed") from error

    def list_objects(env: Any, resource_runtime_part: Any, state_credentials: Any) -> None:
        client = source.ResourceEvalS3._get_s3_client(resource_runtime_part, state_credentials)
        env.stack.append(client.list_objects_v2(**env.stack.pop()).get("Contents", []))

    reader._eval_body, source.ResourceEvalS3._handle_list_objects_v2 = read_or_fail, staticmethod(list_objects)


def apply_result_paths() -> None:
    """Fail with States.ResultPathMatchFailure if a ResultPath cannot be applied to the input (States Language, appendix A)."""
    module = part("asl.component.common.path.result_path")
    apply = module.ResultPath._eval_body
    module.parse = lru_cache(4096)(module.parse)  # it takes milliseconds

    def evaluate(self: Any, env: Any) -> None:
        try:
            apply(self, env)
        except TypeError:
            given = part("asl.utils.encoding").to_json_str(env.states.get_input())
            about = f"Unable to apply ReferencePath {self.result_path_src} to input {given}"
            raise failure(env, RESULT_PATH, about) from None

    module.ResultPath._eval_body = evaluate


def compare_what_is_there() -> None:
    """Fail a Choice with States.Runtime if its Variable leads to nothing. Only IsPresent allows it.

    Values of different types are not equal, and not smaller or greater (States Language, "Data-test expression"). A timestamp
    has its zone. StringMatches knows `*` alone, and escapes.
    """
    comparison = state("choice.comparison.comparison_variable").ComparisonVariable
    operators = "choice.comparison.operator.implementations"
    nothing = state("choice.comparison.variable").NoSuchVariable
    is_timestamp = state(f"{operators}.is_operator").IsTimestamp

    def evaluate(self: Any, env: Any) -> None:
        self.variable.eval(env)
        is_present = self.comparison_function.operator_type.name == "IsPresent"
        if isinstance(env.stack[-1], nothing) and not is_present:
            path = self.variable.string_sampler.literal_value
            about = f"Invalid path '{path}': The choice state's condition path references an invalid value."
            raise runtime_failure(env, about)
        depth = len(env.stack) - 1
        try:
            self.comparison_function.eval(env)
        except TypeError:
            del env.stack[depth:]
            env.stack.append(False)

    def matches(variable: Any, pattern: str) -> bool:
        parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", pattern)
        if not isinstance(variable, str) or "\\" in parts:
            return False
        texts = [""]  # between the stars
        for it in parts:
            if it == "*":
                texts.append("")
            else:
                texts[-1] += re.escape(it.removeprefix("\\"))
        first, *rest = texts
        if not rest:
            return re.fullmatch(first, variable) is not None
        whole = first + "".join(f"(?>.*?{it})" for it in rest[:-1]) + f".*{rest[-1]}"  # the first fit is as good as any
        return re.fullmatch(whole, variable, re.DOTALL) is not None

    comparison._eval_body = evaluate
    is_timestamp.string_to_timestamp = staticmethod(instant)
    state(f"{operators}.string_operators").StringMatches._compare = staticmethod(matches)


def assign_after_output() -> None:
    """Let a state's Assign and Output see the variables as they were (guide, "Passing data between states with variables").

    moto assigns first.
    """
    stores = part("asl.eval.variable_store")
    store = stores.VariableStore
    put, get = store.set, store.get

    def set_later(self: Any, variable_identifier: str, variable_value: Any) -> None:
        if variable_identifier in self._outer_scope:
            put(self, variable_identifier, variable_value)
        self._declaration_tracing.add(variable_identifier)
        vars(self).setdefault("_assigned", {})[variable_identifier] = variable_value

    def get_assigned(self: Any, variable_identifier: str) -> Any:
        assigned = vars(self).get("_assigned", {})
        return assigned[variable_identifier] if variable_identifier in assigned else get(self, variable_identifier)

    store.set, store.get = set_later, get_assigned


def keep_variables(env: Any) -> None:
    """Put what a state has assigned where the next one reads it."""
    env.variable_store._inner_scope.update(vars(env.variable_store).pop("_assigned", {}))


def measure_data() -> None:
    """Take data of 256 KiB of JSON in UTF-8 (guide, "Service quotas"). moto takes a byte less, and escapes more."""

    def is_within_size_quota(value: Any) -> bool:
        return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")) <= LARGEST

    put_in_place_of("is_within_size_quota", is_within_size_quota)


def read_texts() -> None:
    """Read the escapes of JSON in a definition's texts, and the Assign of a rule in JSONPath. moto leaves them."""
    reader = part("asl.parse.preprocessor").Preprocessor
    inner, visit = reader._inner_string_of, reader.visitChoice_rule_comparison_variable
    assign = part("asl.component.common.assign.assign_decl").AssignDecl

    def inner_string_of(parser_rule_context: Any) -> Any:
        text = inner(parser_rule_context)
        return json.loads(f'"{text}"', strict=False) if text and "\\" in text else text

    def visit_rule(self: Any, ctx: Any) -> Any:
        rule = visit(self, ctx)
        for child in ctx.children if rule.assign is None else ():
            found = self.visit(child)
            if isinstance(found, assign):
                rule.assign = found
        return rule

    def open_scope(self: Any, tree: Any) -> None:
        try:
            enter(self, tree)
        except ValueError:  # back to JSONPath within JSONata, which AWS refuses in a machine of JSONata alone
            if self._query_language_per_scope[0].query_language_mode.name == "JSONata":
                raise
            self._query_language_per_scope.append(type(self._query_language_per_scope[0])())

    enter = reader._open_query_language_scope
    reader._open_query_language_scope = open_scope
    reader._inner_string_of, reader.visitChoice_rule_comparison_variable = staticmethod(inner_string_of), visit_rule


def fail_on_wrong_types() -> None:
    """Fail with States.QueryEvaluationError if an expression comes to what its field cannot be (guide).

    Recorded: scenarios/test_base_scenarios.py, test_wait_timestamp_jsonata.
    """
    seconds, timestamp = state("wait.wait_function.seconds").SecondsJSONata, state("wait.wait_function.timestamp").Timestamp

    def wait_seconds(self: Any, env: Any) -> Any:
        self.string_jsonata.eval(env=env)
        found = env.stack.pop()
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise failure(env, QUERY, f"The Seconds field is no whole number of seconds: {found}", "EvaluationFailed")
        return found

    create = timestamp._create_failure_event

    def failure_event(self: Any, env: Any, timestamp_str: Any) -> Any:
        if not hasattr(self.string, "expression"):
            return create(self, env, timestamp_str)
        about = f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {timestamp_str}"
        return failure(env, QUERY, about, "EvaluationFailed").failure_event

    def condition(self: Any, env: Any) -> None:
        self.string_jsonata.eval(env=env)
        if not isinstance(env.stack[-1], bool):
            raise failure(env, QUERY, f"The Condition is no boolean: {env.stack[-1]}", "EvaluationFailed")

    def text(self: Any, env: Any) -> None:
        self.string_expression.eval(env=env)
        if not isinstance(env.stack[-1], str):
            error = QUERY if hasattr(self.string_expression, "expression") else RUNTIME
            raise failure(env, error, f"An error's name and cause are texts, and not {env.stack[-1]}")

    def items(self: Any, env: Any) -> None:
        self.string_sampler.eval(env=env)
        if not isinstance(env.stack[-1], list):
            raise runtime_failure(env, f'Reference path "{self.string_sampler.literal_value}" must point to array.')

    seconds._get_wait_seconds, timestamp._create_failure_event = wait_seconds, failure_event
    state("choice.comparison.comparison").ConditionStringJSONata._eval_body = condition
    state("fail.error_decl").Error._eval_body = state("fail.cause_decl").Cause._eval_body = text
    part("asl.component.common.path.items_path").ItemsPath._eval_body = items


def name_errors_of_services() -> None:
    """Name the errors of services as AWS does (recorded: error_handling/). moto knows few names."""
    sdk = state("exec.state_task.service.state_task_service_aws_sdk").StateTaskServiceAwsSdk
    database = state("exec.state_task.service.state_task_service_dynamodb").StateTaskServiceDynamoDB
    queue = state("exec.state_task.service.state_task_service_sqs").StateTaskServiceSqs
    names = {"dynamodb": "DynamoDb", "secretsmanager": "SecretsManager", "eventbridge": "EventBridge"}
    cause_of, queue_error = database._error_cause_from_client_error, queue._from_error
    database_error = database._from_error
    failures = part("asl.component.common.error_name.failure_event").FailureEventException

    def in_database(client_error: Any) -> tuple[str, str]:
        error, cause = cause_of(client_error)
        is_modelled = type(client_error).__name__ != "ClientError"
        return f"{error.removesuffix('Exception')}Exception" if is_modelled else "DynamoDB.AmazonDynamoDBException", cause

    def from_database(self: Any, env: Any, ex: Exception) -> Any:
        """A failure of the state's own, such as a path that leads nowhere, is none of the service."""
        return ex.failure_event if isinstance(ex, failures) else database_error(self, env=env, ex=ex)

    def in_queue(self: Any, env: Any, ex: Exception) -> Any:
        event = queue_error(self, env=env, ex=ex)
        response = getattr(ex, "response", None)
        if response and response["Error"]["Code"] in ("MissingParameter", "InvalidParameterValue"):
            told, meta = response["Error"], response["ResponseMetadata"]
            about = f"Service: AmazonSQS; Status Code: {meta['HTTPStatusCode']}; Error Code: {told['Code']}"
            about = f"{told['Message']} ({about}; Request ID: {meta.get('RequestId')}; Proxy: null)"
            return failure(env, "SQS.AmazonSQSException", about).failure_event
        return event

    sdk._normalise_service_error_name = staticmethod(lambda name: names.get(name.lower(), name[:1].upper() + name[1:]))
    database._error_cause_from_client_error, queue._from_error = staticmethod(in_database), in_queue
    database._from_error = from_database


def tell_items_to_their_tasks() -> None:
    """Let every state of an iteration see `$$.Map` (guide, "Accessing execution data"). moto hides it from tasks."""
    environment = part("asl.eval.environment").Environment
    open_frame = environment.as_inner_frame_of.__func__

    def open_with_item(cls: Any, env: Any, *given: Any, **named: Any) -> Any:
        frame = open_frame(cls, env, *given, **named)
        context = env.states.context_object.context_object_data
        if "Map" in context:
            frame.states.context_object.context_object_data["Map"] = context["Map"]
        return frame

    environment.as_inner_frame_of = classmethod(open_with_item)


def tolerate_failures() -> None:
    """Fail a distributed Map state with more failures than it tolerates, by default none (guide, "Distributed mode").

    moto counts them, and goes on.
    """
    distributed = state("exec.state_map.iteration.distributed_iteration_component").DistributedIterationComponent
    run = distributed._map_run

    def run_within_thresholds(self: Any, env: Any, eval_input: Any) -> None:
        run(self, env, eval_input)
        counts = eval_input.map_run_record.item_counter
        failed, total = counts.failed.get() + counts.timed_out.get(), counts.total.get()
        count, share = eval_input.tolerated_failure_count, eval_input.tolerated_failure_percentage
        is_exceeded = failed > count if count or not share else failed * 100 > share * total
        if failed and is_exceeded:
            error, about = "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
            raise failure(env, error, about)

    distributed._map_run = run_within_thresholds


def refuse_parts_of_items() -> None:
    """Fail with States.Runtime if MaxItemsPath leads to no whole number (recorded: scenarios/, …_csv_max_items_paths)."""
    path = state("exec.state_map.item_reader.reader_config.max_items_decl").MaxItemsPath
    validate = path._validate_value

    def validate_value(self: Any, env: Any, value: Any) -> None:
        if not isinstance(value, int):
            about = f'The MaxItemsPath field refers to value "{value}" which is not a valid integer'
            raise runtime_failure(env, f"{about}: {self.string_sampler.literal_value}")
        validate(self, env, value)

    path._validate_value = validate_value


MENDS = (
    read_paths,
    evaluate_intrinsic_functions,
    wait_for_a_year_between_heartbeats,
    match_errors_as_aws_does,
    name_unforeseen_failures,
    fail_without_a_next_state,
    fail_to_read_items,
    apply_result_paths,
    compare_what_is_there,
    assign_after_output,
    measure_data,
    read_texts,
    fail_on_wrong_types,
    name_errors_of_services,
    tell_items_to_their_tasks,
    tolerate_failures,
    refuse_parts_of_items,
)
