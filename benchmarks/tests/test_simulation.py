"""The model of docs/scaling.md: its arithmetic, what it reads from the template, and that nothing is lost in it."""

import re
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.retries import quota, standard
from waitpoints_client import session

from benchmarks.bill import MILLISECONDS
from benchmarks.figures import DOCS, read
from benchmarks.simulation import limits, quotas, scenarios, timers
from benchmarks.simulation.aws import Concurrency, Environment, SimulatedFunction, Table
from benchmarks.simulation.flows import CALLBACK, RECORD, REPAIR, SETTLE, TIME_OUT, Call
from benchmarks.simulation.quotas import Assumed, Sdk
from benchmarks.simulation.senders import NEVER, SDK, SENDERS, STEADY, doubling
from benchmarks.simulation.stack import Consumer, SimulatedStack, Throttle
from benchmarks.simulation.world import STORE_PAUSES, Found, Setting, Simulation, Token, happened_by, percentile
from in_process.template import Template
from waitpoints import wiring
from waitpoints.aws import messages, store, throttling

OPEN = Throttle(10**6, 10**6)
SCALING = DOCS / "scaling.md"


@pytest.fixture(scope="module")
def stack() -> SimulatedStack:
    return SimulatedStack.of(Template.load())


@pytest.fixture
def setting(stack: SimulatedStack) -> Setting:
    """Nothing throttles but what the test says."""
    return Setting(replace(stack, callbacks=OPEN), send_task=OPEN, account=OPEN, concurrency=10_000, partitions=40)


def sum_of(flow: tuple[Call, ...]) -> int:
    return sum(call.write_units for call in flow)


class TestStack:
    def test_is_what_the_template_says(self, stack: SimulatedStack) -> None:
        properties = Template.load().functions()["resume_waiters"].properties
        mapping = properties["Events"]["SettledTokens"]["Properties"]
        assert (stack.consumer.batch, stack.consumer.lanes) == (mapping["BatchSize"], mapping["ParallelizationFactor"])
        assert stack.consumer.longest_age == mapping["MaximumRecordAgeInSeconds"] < 24 * 3600
        assert stack.consumer.window == mapping.get("MaximumBatchingWindowInSeconds", 0)
        assert stack.callbacks.rate == stack.stage.rate


class TestParameters:
    def test_retries_are_those_of_the_installed_sdk_and_of_the_wiring(self) -> None:
        scales = vars(standard.ExponentialBackoff)["_DEFAULT_BACKOFF_CONFIG"]
        assert scales["throttling_base_scale"] == Sdk.FIRST_PAUSE
        assert vars(standard.RetryQuotaChecker)["_THROTTLING_RETRY_COST"] == Sdk.RETRY_COST
        assert quota.RetryQuota.INITIAL_CAPACITY == Sdk.QUOTA
        assert vars(wiring._CONFIG)["retries"]["total_max_attempts"] == Sdk.ATTEMPTS

    @pytest.mark.parametrize(("is_fast", "attempts"), [(True, Sdk.FAST_ATTEMPTS), (False, Sdk.ATTEMPTS)])
    def test_the_fast_path_repeats_no_throttled_resume(
        self, monkeypatch: pytest.MonkeyPatch, is_fast: bool, attempts: int
    ) -> None:
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        config = wiring._CONFIG.merge(Config(signature_version=UNSIGNED))
        client, requests = boto3.client("stepfunctions", "us-east-1", config=config), []

        def throttle(request: Any, **_: Any) -> Any:
            requests.append(request)
            response: Any = AWSResponse(request.url, 400, HTTPHeaders(), None)
            response._content = b'{"__type": "ThrottlingException"}'
            return response

        client.meta.events.register("before-send.sfn", throttle)
        with pytest.raises(ClientError), throttling.not_repeated() if is_fast else nullcontext():
            throttling.fails_fast(client).send_task_success(taskToken="token", output="1")
        assert len(requests) == attempts

    def test_pauses_are_those_of_the_store_and_of_the_client(self) -> None:
        assert store._PAUSES == STORE_PAUSES
        assert messages.LONGEST_PAUSE == timers.LONGEST_PAUSE
        expected = tuple(session.FIRST_DELAY * session.DELAY_FACTOR**number for number in range(session.ATTEMPTS - 1))
        assert expected == SDK.pauses

    def test_doubling_pauses_add_up(self) -> None:
        pauses = doubling(8, 4 * 3600)
        assert (len(pauses), pauses[7] / pauses[6]) == (8, 2)
        assert sum(pauses) == pytest.approx(4 * 3600)


class TestServices:
    def test_a_function_gains_as_many_environments_as_lambda_gives(self, setting: Setting) -> None:
        env = Simulation(setting).env
        function = SimulatedFunction(env, Concurrency(10_000), start=0.5)
        entered = [env.process(function.enter()) for _ in range(1_500)]
        env.run()
        assert (function.running, function.throttled) == (1_000, 500)
        idle: Any = entered[0].value
        function.leave(idle)
        env.run(until=env.process(function.enter()))
        assert (env.now, function.running) == (0.5, 1_000)  # the idle environment starts at once

    def test_an_account_runs_no_more_at_once(self, setting: Setting) -> None:
        env = Simulation(setting).env
        account = Concurrency(10)
        functions = SimulatedFunction(env, account, 0), SimulatedFunction(env, account, 0)
        for function in functions:
            for _ in range(8):
                env.process(function.enter())
        env.run()
        assert [(function.running, function.throttled) for function in functions] == [(8, 0), (2, 6)]

    def test_a_client_stops_retrying_until_its_calls_succeed_again(self) -> None:
        environment = Environment()
        retries = Sdk.QUOTA // Sdk.RETRY_COST
        assert [environment.may_retry("SFN") for _ in range(retries + 1)] == [True] * retries + [False]
        assert environment.may_retry("DynamoDB")
        environment.succeeded("SFN", retried=True)
        assert [environment.may_retry("SFN"), environment.may_retry("SFN")] == [True, False]

    def test_a_throttled_index_throttles_the_write_and_nothing_else(self) -> None:
        table = Table(partitions=40, list_partitions=(0, 0, 0, 0))
        settled = sum(table.write(0, SETTLE, token) for token in range(2_000))
        recorded = sum(table.write(0, RECORD, token) for token in range(2_000))
        assert (settled, recorded, table.written) == (1_000, 2_000, 4_000)

    def test_a_throttled_write_takes_no_units(self) -> None:
        table = Table(partitions=1, list_partitions=(0,))
        assert not table.write(0, Call("DynamoDB:PutItem", token=1_001, list_index=1), 0)
        assert table.write(0, Call("DynamoDB:PutItem", token=1_000, list_index=1_000), 0)


class TestWorld:
    def test_is_the_same_for_the_same_seed(self, setting: Setting) -> None:
        first, second, other = (
            Simulation(replace(setting, seed=seed, send_task=Throttle(20, 20))).callbacks(500, 5).lags() for seed in (1, 1, 2)
        )
        assert first == second != other

    def test_without_throttles_each_execution_goes_on_at_once(self, setting: Setting) -> None:
        found = Simulation(setting).callbacks(500, 5)
        found.audit()
        assert (found.answers, found.given_up) == ({200: 500}, 0)
        assert found.lags()[-1] < 2 * setting.assumed.step_functions

    def test_callbacks_and_repairs_take_the_write_units_of_their_flows(self, setting: Setting) -> None:
        world = Simulation(setting)
        repaired = world.callbacks(500, 5).repaired
        assert world.table.written == 500 * sum_of(CALLBACK) + repaired * sum_of(REPAIR)
        assert repaired < 10

    def test_resumes_follow_the_quota(self, setting: Setting) -> None:
        """They take as long as the closed form says, and never more than the bucket had."""
        number, throttle = 2_000, Throttle(rate=50, burst=300)
        world = Simulation(replace(setting, send_task=throttle))
        found = world.callbacks(number, 5)
        found.audit()
        sent = world.step_functions.sent_at
        least = (number - throttle.burst) / throttle.rate
        assert least <= max(token.resumed_at or 0 for token in found.tokens) <= 1.1 * least
        assert all(place < throttle.burst + throttle.rate * at + 1 for place, at in enumerate(sent))

    def test_a_throttled_step_functions_takes_no_callback_down(self, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
        """With repetitions, as many callbacks a second would need more invocations than an account has."""
        slow = replace(setting, send_task=Throttle(100, 300), concurrency=1_000)
        answers = [Simulation(slow).callbacks(10_000, 6, STEADY).answers]
        monkeypatch.setattr(Sdk, "FAST_ATTEMPTS", Sdk.ATTEMPTS)
        answers.append(Simulation(slow).callbacks(10_000, 6, STEADY).answers)
        once, repeated = (answer[503] for answer in answers)
        assert once < 400 < 4 * 400 < repeated

    def test_nothing_is_lost_in_a_burst_with_every_throttle(self, stack: SimulatedStack) -> None:
        setting = Setting(replace(stack, callbacks=Throttle(100, 50)), send_task=Throttle(20, 10), concurrency=10)
        found = Simulation(setting).callbacks(1_000, 2, STEADY)
        found.audit()
        assert found.answers[429]
        assert found.answers[503]
        assert len(found.settled) + found.given_up == 1_000

    def test_a_sender_that_never_tries_again_gives_up(self, setting: Setting) -> None:
        found = Simulation(setting.with_callbacks(rate=10, burst=10)).callbacks(200, 10, NEVER)
        found.audit()
        assert len(found.settled) == pytest.approx(110, abs=12)
        assert found.given_up == 200 - len(found.settled)

    def test_a_sender_without_an_answer_in_time_sends_again_and_settles_once(self, setting: Setting) -> None:
        impatient = replace(STEADY, patience=0.0)
        found = Simulation(setting).callbacks(10, 1, impatient)
        found.audit()
        assert (found.answers, len(found.settled)) == ({200: 10 * (len(STEADY.pauses) + 1)}, 10)

    def test_a_stack_with_reserved_concurrency_keeps_the_rest_for_the_stream(self, setting: Setting) -> None:
        stack = replace(setting.stack, reserved={"accept_callback": 20})
        world = Simulation(replace(setting, stack=stack, concurrency=100, send_task=Throttle(20, 20), partitions=4))
        world.callbacks(1_000, 2, STEADY).audit()
        assert (world.accept_callback.most, world.resume_waiters.throttled) == (20, 0)
        assert world.accept_callback.throttled

    def test_one_partition_decides_how_often_a_key_may_be_created(self, setting: Setting) -> None:
        """A create with a key that is held takes two units of the key's partition, so 500 a second fit."""
        stack = replace(setting.stack, stage=OPEN)
        few, many = (Simulation(replace(setting, stack=stack)).creates_of_one_key(rate, 10, NEVER) for rate in (400, 1_000))
        assert few.answers[503] == 0
        assert many.answers[200] == pytest.approx(500 * 10 + 500, rel=0.1)

    def test_nothing_is_lost_when_resume_waiters_times_out(self, setting: Setting) -> None:
        consumer = Consumer(batch=100, window=1, lanes=1, longest_age=43_200, timeout=2)
        stack = replace(setting.stack, consumer=consumer)
        found = Simulation(replace(setting, stack=stack, partitions=1, send_task=Throttle(20, 1))).callbacks(200, 1)
        found.audit()
        assert found.timeouts

    def test_records_that_grow_too_old_are_noticed(self, setting: Setting) -> None:
        consumer = Consumer(batch=100, window=0, lanes=1, longest_age=5, timeout=60)
        stack = replace(setting.stack, consumer=consumer)
        found = Simulation(replace(setting, stack=stack, partitions=1, send_task=Throttle(2, 1))).callbacks(100, 1)
        assert found.expired
        with pytest.raises(AssertionError):
            found.audit()


class TestTimers:
    """Of tokens that share a deadline. The queue's mapping begins with 5 messages at once, and gains 5 a second."""

    def test_every_token_times_out_and_its_waiter_goes_on(self, setting: Setting) -> None:
        world = Simulation(setting)
        deadline = world.timeouts(500)
        world.found.audit_timeouts()
        assert all(token.settled_at is not None and token.settled_at >= deadline for token in world.found.tokens)
        assert world.table.written == 500 * sum_of(TIME_OUT) + world.found.repaired * sum_of(REPAIR)

    def test_as_many_are_handled_at_once_as_the_mapping_takes(self, setting: Setting) -> None:
        """All messages are there at the deadline, so n messages take t seconds by the closed form."""
        world = Simulation(replace(setting, assumed=Assumed(start=0)))
        deadline = world.timeouts(5_000)
        last = max(token.settled_at or 0 for token in world.found.tokens) - deadline
        each = world.setting.assumed.own + 3 * world.setting.assumed.dynamodb + world.setting.assumed.step_functions
        assert (5 * last + 5 * last**2 / 2) / each == pytest.approx(5_000, rel=0.1)
        assert world.expire_tokens.most == pytest.approx(5 + 5 * last, abs=2)

    def test_are_started_at_the_pace_that_the_contract_promises(self) -> None:
        promised = re.search(
            r"\*\*T8\*\* ([\d,]+) tokens .* within the minute", (DOCS / "internals" / "contract.md").read_text()
        )
        assert promised
        assert int(promised[1].replace(",", "")) / 60 == quotas.TIMERS_STARTED

    def test_more_tokens_than_a_round_starts_in_its_time_are_late(
        self, setting: Setting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timers, "TIMERS_STARTED", 5)
        world = Simulation(setting)
        deadline = world.timeouts(1_000)
        world.found.audit_timeouts()
        last = max(token.settled_at or 0 for token in world.found.tokens) - deadline
        assert last == pytest.approx(1_000 / 5 - deadline, abs=2)

    def test_what_is_throttled_comes_again(self, setting: Setting) -> None:
        world = Simulation(replace(setting, concurrency=3))
        world.timeouts(300)
        world.found.audit_timeouts()
        assert world.expire_tokens.throttled

    def test_a_message_comes_again_after_longer_and_longer_pauses(self) -> None:
        pauses = [timers.Message(None, receives).pause() for receives in (1, 2, 3, 7, 8, 99)]
        assert pauses == [1, 2, 4, 64, 120, 120]


@pytest.mark.parametrize(
    "token",
    [Token(1, settled_at=1), Token(1, settled_at=1, resumed_at=2), Token(1)],
    ids=["not resumed", "no reply", "not settled"],
)
def test_the_audit_sees_what_is_lost(token: Token) -> None:
    found = Found(tokens=[token])
    found.answers[200] = 1
    for audit in (found.audit, found.audit_timeouts):
        with pytest.raises(AssertionError):
            audit()


class TestLimits:
    def test_are_sorted_by_which_comes_first(self, stack: SimulatedStack) -> None:
        waits = [limit.waits for limit in limits.limits(stack)]
        assert waits == sorted(waits)

    def test_are_computed_from_the_flows(self, stack: SimulatedStack) -> None:
        found = {limit.name: limit for limit in limits.limits(stack, Assumed(own=0.02, dynamodb=0.01, step_functions=0.03))}
        assert found[quotas.SEND_TASK_RATE.name].waits == 500
        assert found[quotas.NEW_TABLE_WRITES.name].waits == 1_000
        assert found["callbacks"].waits == stack.callbacks.rate
        assert found[quotas.CONCURRENCY.name].waits == pytest.approx(1_000 / 0.16)
        assert found[quotas.OPEN_EXECUTIONS.name].waits == pytest.approx(1_000_000 / 86_400)

    def test_open_executions_come_first(self, stack: SimulatedStack) -> None:
        assert limits.limits(stack)[0].name == quotas.OPEN_EXECUTIONS.name

    def test_no_limit_of_the_stack_is_above_100_percent_at_1000_waits_a_second(self, stack: SimulatedStack) -> None:
        own = [limit for limit in limits.limits(stack) if not limit.link]
        assert {"callbacks", "other requests", "timers started a second"} < {limit.name for limit in own}
        assert all(limit.waits >= 1_000 for limit in own)


def test_the_longest_wait_is_that_of_the_first_token_that_still_waits(setting: Setting) -> None:
    world = Simulation(setting)
    found = Found(tokens=[Token(1, 0, 1, 1), Token(1, 2, 9, 9), Token(1, 3, 4, 4)])
    assert scenarios.longest_wait(scenarios.Run("", world, found), [0.5, 1.5, 5, 9]) == [0.5, 0, 3, 0]


def test_percentiles_and_counts() -> None:
    assert [percentile([1, 2, 3, 4], share) for share in (0, 0.5, 1)] == [1, 3, 4]
    assert happened_by([1, 2, 2, 5], [0, 2, 9]) == [0, 3, 4]


class TestThePage:
    """docs/scaling.md. `make simulate` writes it."""

    def test_has_the_limits_of_the_template_and_the_code(self, stack: SimulatedStack) -> None:
        assert read(SCALING, "limits, by make simulate") == limits.markdown(stack)

    def test_has_the_quotas_of_the_model(self) -> None:
        assert read(SCALING, "quotas, by make simulate") == quotas.markdown()

    def test_has_every_scenario(self) -> None:
        bursts = read(SCALING, "bursts, by make simulate")
        assert all(f"| {sender.name} |" in bursts for sender in SENDERS)
        assert bursts.count("| --- |") == 4

    def test_takes_an_invocation_to_be_as_long_as_the_prices_do(self) -> None:
        """A delivery takes no longer than a callback, of which docs/costs.md tells how its time comes about."""
        page = " ".join(SCALING.read_text().split())
        assert f"| Lambda concurrency | {MILLISECONDS} ms, as [priced](costs.md) | the same |" in page
        assert f"1,000 deliveries a second use {MILLISECONDS} environments" in page
        assert f"A warm invocation takes {MILLISECONDS} ms" in (DOCS / "costs.md").read_text()

    def test_says_that_a_burst_is_answered_503_a_thousand_times_at_most(self) -> None:
        """But in a new account, which runs ten functions at once."""
        hundred_thousand = read(SCALING, "bursts, by make simulate").split("4,000 callbacks a second")[0]
        rows = [row.strip("| ").split(" | ") for row in hundred_thousand.splitlines() if row.startswith("| ")]
        refused = {row[0]: int(row[-1].replace(",", "")) for row in rows if row[-1].replace(",", "").isdigit()}
        refused.pop("sender")
        new_account = refused.pop("a new account, 10 invocations at once; as Shopify")
        assert len(refused) == len(SENDERS) + 4
        assert max(refused.values()) <= 1_000 < new_account
