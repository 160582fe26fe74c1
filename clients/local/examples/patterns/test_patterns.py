"""Every path of the patterns in docs/patterns.md, through the whole stack. Their files are in statemachines/ beside it."""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from waitpoints_client import Waitpoints

from waitpoints_local.testing import Endpoint, Fails, Machine, Run, RunError, State


def visits(run: Run, state: str) -> list[State]:
    return [it for it in run.states if it.name == state]


class TestApprovalWithEscalation:
    INPUT: ClassVar = {"question": "Deploy 4.2?", "people": ["ann@example.com", "bo@example.com"]}

    @pytest.fixture
    def start(self, machine: Machine) -> Callable[..., Run]:
        def start(notify: Any = None) -> Run:
            stand_ins = {"NotifyFunction": notify or {"sent": True}}
            return machine("statemachines/approval_with_escalation.asl.json", self.INPUT, stand_ins=stand_ins)

        return start

    def test_approved(self, start: Callable[..., Run]) -> None:
        run = start()
        run.waiting("Wait for the answer").answer({"action": "approve"})
        assert run.output == {"approvedBy": "ann@example.com"}

    def test_rejected(self, start: Callable[..., Run]) -> None:
        run = start()
        run.waiting("Wait for the answer").answer({"action": "reject"})
        assert (run.error, run.cause) == ("Rejected", "Rejected by ann@example.com")

    def test_the_second_person_is_asked_after_four_hours(self, start: Callable[..., Run]) -> None:
        run = start()
        first = run.waiting("Wait for the answer")
        run.skip("4h")
        second = run.waiting("Wait for the answer")
        assert second.id != first.id
        first.post({"action": "reject"})  # too late to count
        second.answer({"action": "approve"})
        assert run.output == {"approvedBy": "bo@example.com"}
        assert visits(run, "Approved")[0].input["output"]["action"] == "approve"

    def test_nobody_answers(self, start: Callable[..., Run]) -> None:
        run = start()
        run.waiting("Wait for the answer").time_out()
        run.waiting("Wait for the answer").time_out()
        assert run.error == "WaitpointTimeoutError"

    def test_a_notice_that_fails_twice_is_sent_again(self, start: Callable[..., Run]) -> None:
        run = start([Fails("Lambda.ServiceException"), Fails("Lambda.ServiceException"), {"sent": True}])
        run.waiting("Wait for the answer").answer({"action": "approve"})
        assert run.output == {"approvedBy": "ann@example.com"}
        assert [it.failures for it in visits(run, "Send the link")] == [2]

    def test_a_notice_that_cannot_be_sent_fails_the_run(self, start: Callable[..., Run]) -> None:
        assert start(Fails("NoSuchAddress")).error == "NoSuchAddress"


class TestTwoOfThree:
    INPUT: ClassVar = {
        "question": "Deploy 4.2?",
        "people": ["ann@example.com", "bo@example.com", "cy@example.com"],
        "lead": "dee@example.com",
    }

    @pytest.fixture
    def run(self, machine: Machine) -> Run:
        return machine("statemachines/two_of_three.asl.json", self.INPUT, stand_ins={"AskFunction": {"sent": True}})

    def test_two_approve(self, run: Run) -> None:
        token = run.waiting("Wait for the decision")
        token.answer({"action": "approve"}, by="cy@example.com")
        token.answer({"action": "approve"}, by="ann@example.com")
        assert run.output == {"approvedBy": ["cy@example.com", "ann@example.com"]}

    def test_one_rejects_although_another_has_approved(self, run: Run) -> None:
        token = run.waiting("Wait for the decision")
        token.answer({"action": "approve"}, by="bo@example.com")
        token.answer({"action": "reject"}, by="ann@example.com")
        assert (run.error, run.cause) == ("Rejected", "Rejected by ann@example.com")

    def test_the_lead_decides_after_a_day_and_not_before(self, run: Run) -> None:
        token = run.waiting("Wait for the decision")
        token.answer({"action": "approve"}, by="bo@example.com")
        with pytest.raises(RunError, match="not yet"):
            token.answer({"action": "approve"}, by="dee@example.com")
        run.skip("1d2m")
        run.waiting("Wait for the decision").answer({"action": "approve"}, by="dee@example.com")
        assert run.output == {"approvedBy": ["bo@example.com", "dee@example.com"]}
        assert len(visits(run, "Send the links")) == 2

    def test_nothing_is_decided_in_three_days(self, run: Run) -> None:
        run.waiting("Wait for the decision").answer({"action": "approve"}, by="bo@example.com")
        run.skip("3d")
        assert run.error == "WaitpointTimeoutError"


class TestGitHubWorkflow:
    @pytest.fixture
    def number(self) -> int:
        return uuid.uuid4().int % 10**11

    @pytest.fixture
    def run(self, machine: Machine, number: int) -> Run:
        start = {"StartWorkflowFunction": {"workflow_run_id": number}}
        return machine("statemachines/github_workflow.asl.json", {"workflow": "deploy.yml"}, stand_ins=start)

    @staticmethod
    def event(number: int, action: str, conclusion: str | None) -> Any:
        return {"action": action, "workflow_run": {"id": number, "conclusion": conclusion, "html_url": "https://github.com/1"}}

    def test_a_duplicate_webhook_changes_nothing(self, run: Run, number: int, github: Endpoint) -> None:
        run.waiting("Wait for the workflow")
        assert github.deliver(self.event(number, "in_progress", None)).status_code == 200
        done = self.event(number, "completed", "success")
        assert [github.deliver(done).status_code for _ in range(2)] == [200, 200]
        assert run.output == {"ok": True, "output": done["workflow_run"]}
        assert github.deliver(self.event(number, "completed", "failure")).status_code == 200

    def test_the_workflow_fails(self, run: Run, number: int, github: Endpoint) -> None:
        run.waiting("Wait for the workflow")
        github.deliver(self.event(number, "completed", "failure"))
        assert (run.error, run.cause) == ("WorkflowFailed", "https://github.com/1 ended with failure")

    def test_github_does_not_call(self, run: Run) -> None:
        run.waiting("Wait for the workflow").time_out()
        assert run.error == "WaitpointTimeoutError"


class TestReplicatePrediction:
    INPUT: ClassVar = {"version": "stability-ai/sdxl", "input": {"prompt": "a quiet lake"}}

    @pytest.fixture
    def start(self, machine: Machine) -> Callable[..., Run]:
        def start(answer: Any = None) -> Run:
            stand_ins = {"StartPredictionFunction": answer or {"id": "p1", "status": "starting"}}
            return machine("statemachines/replicate_prediction.asl.json", self.INPUT, stand_ins=stand_ins)

        return start

    def test_it_succeeds_after_its_progress(self, start: Callable[..., Run]) -> None:
        run = start()
        token = run.waiting("Wait for the prediction")
        for status in ("starting", "processing", "succeeded", "succeeded"):
            assert token.post({"id": "p1", "status": status}, signed=True).status_code == 200
        assert token.post({"status": "failed"}).status_code in (200, 401)  # it has ended
        assert run.output == {"id": "p1", "status": "succeeded"}

    def test_nobody_else_ends_it(self, start: Callable[..., Run]) -> None:
        run = start()
        token = run.waiting("Wait for the prediction")
        assert token.post({"status": "succeeded"}).status_code == 401
        token.post({"status": "failed", "error": "NSFW"}, signed=True)
        assert (run.error, run.cause) == ("PredictionFailed", "failed: NSFW")

    def test_it_is_started_once_it_may_be(self, start: Callable[..., Run]) -> None:
        busy = Fails("Lambda.TooManyRequestsException")
        run = start([busy, busy, {"id": "p1"}])
        run.waiting("Wait for the prediction").answer({"status": "succeeded"})
        assert (run.status, visits(run, "Start the prediction")[0].failures) == ("SUCCEEDED", 2)


class TestPayment:
    @pytest.fixture
    def order(self) -> dict[str, Any]:
        return {"orderId": uuid.uuid4().hex, "amount": 2000, "currency": "eur"}

    @pytest.fixture
    def start(self, machine: Machine, order: Any) -> Callable[[], Run]:
        stand_ins = {"StartCheckoutFunction": {"sent": True}}
        return lambda: machine("statemachines/payment.asl.json", order, stand_ins=stand_ins)

    @staticmethod
    def event(order: Any, kind: str, status: str) -> Any:
        session = {"client_reference_id": order["orderId"], "payment_status": status}
        return {"type": f"checkout.session.{kind}", "data": {"object": session}}

    def test_the_order_is_shipped_once_it_is_paid(self, start: Callable[[], Run], order: Any, stripe: Endpoint) -> None:
        run = start()
        run.waiting("Wait for the payment")
        for kind, status in (("completed", "unpaid"), ("async_payment_succeeded", "paid")):
            assert stripe.deliver(self.event(order, kind, status)).status_code == 200
        assert run.output["payment"]["output"]["payment_status"] == "paid"

    def test_the_customer_may_pay_before_the_run_waits(self, start: Callable[[], Run], order: Any, stripe: Endpoint) -> None:
        assert stripe.deliver(self.event(order, "completed", "paid")).status_code == 200
        assert start().status == "SUCCEEDED"

    def test_an_order_that_is_not_paid_fails(self, start: Callable[[], Run], order: Any, stripe: Endpoint) -> None:
        run = start()
        run.waiting("Wait for the payment")
        stripe.deliver(self.event(order, "expired", "unpaid"))
        assert run.error == "NotPaid"

    def test_stripe_does_not_call_in_25_hours(self, start: Callable[[], Run]) -> None:
        run = start()
        run.waiting("Wait for the payment")
        run.skip("25h")
        assert run.error == "WaitpointTimeoutError"


class TestBatch:
    @pytest.fixture
    def start(self, machine: Machine) -> Callable[..., Run]:
        def start(tolerate: int, hand_out: Any = None, items: int = 5) -> Run:
            given = {"items": [f"page-{number}.pdf" for number in range(items)], "tolerate": tolerate}
            return machine("statemachines/batch.asl.json", given, stand_ins={"HandOutFunction": hand_out or {"sent": True}})

        return start

    def test_a_map_of_five_with_different_answers(self, start: Callable[..., Run]) -> None:
        run = start(tolerate=2)
        tokens = [run.waiting("Wait for its result", item=item) for item in range(5)]
        for item in (4, 0, 2):
            tokens[item].answer({"pages": item})
        tokens[1].fail("No such page", name="Unreadable")
        tokens[3].time_out()
        assert [(it["item"], it["output"]) for it in run.output["succeeded"]] == [
            (f"page-{item}.pdf", {"pages": item}) for item in (0, 2, 4)
        ]
        assert [it["error"]["name"] for it in run.output["failed"]] == ["Unreadable", "WaitpointTimeoutError"]

    def test_too_many_fail(self, start: Callable[..., Run]) -> None:
        run = start(tolerate=0, items=2)
        run.waiting("Wait for its result", item=0).answer("done")
        run.waiting("Wait for its result", item=1).fail("No such page")
        assert run.error == "TooManyFailed"

    def test_an_item_that_is_not_handed_out_fails_no_other(self, start: Callable[..., Run]) -> None:
        run = start(tolerate=1, hand_out=Fails("QueueDown"), items=1)
        assert [it["error"]["name"] for it in run.output["failed"]] == ["QueueDown"]


class TestFirstOfTwo:
    @pytest.fixture
    def run(self, machine: Machine) -> Run:
        given = {"question": "Release without the checks?", "to": "ann@example.com"}
        return machine("statemachines/first_of_two.asl.json", given, stand_ins={"AskBothFunction": {"sent": True}})

    def test_the_person_answers_first(self, run: Run, waitpoints: Waitpoints) -> None:
        checks = run.waiting("Wait for the checks")
        run.waiting("Wait for the person").answer({"action": "release"})
        assert (run.output["from"], run.output["output"]["action"]) == ("person", "release")
        assert waitpoints.get(checks.id).output_is_error

    def test_the_checks_pass_first(self, run: Run) -> None:
        checks = run.waiting("Wait for the checks")
        assert checks.post({"status": "running"}).status_code == 200
        checks.answer({"status": "passed"})
        assert (run.output["from"], run.output["output"]) == ("checks", {"status": "passed"})

    def test_nobody_answers_for_a_day(self, run: Run) -> None:
        run.waiting("Wait for the person")
        run.waiting("Wait for the checks")
        run.skip("1d")
        assert run.error == "NobodyAnswered"


class TestCreateAndWait:
    @pytest.fixture
    def job(self) -> str:
        return uuid.uuid4().hex

    @pytest.fixture
    def run(self, machine: Machine, job: str) -> Run:
        return machine("statemachines/create_and_wait.asl.json", {"job": job})

    def test_the_job_ends_the_wait_by_its_key(self, run: Run, job: str, waitpoints: Waitpoints) -> None:
        waitpoints.complete_key(f"jobs:{job}", {"rows": 3})
        assert run.output == {"job": job, "result": {"rows": 3}}

    def test_the_job_fails(self, run: Run) -> None:
        run.waiting("Wait for the job").fail("No space left", name="DiskFull")
        assert (run.error, run.cause) == ("DiskFull", "No space left")

    def test_it_goes_on_without_a_result(self, run: Run) -> None:
        run.waiting("Wait for the job").time_out()
        assert [it.name for it in run.states][-1] == "Go on without a result"


class TestWaitForWebhook:
    def test_the_output_is_what_was_posted(self, machine: Machine) -> None:
        run = machine("statemachines/wait_for_webhook.asl.json")
        token = run.waiting("Wait for webhook")
        assert [token.post({"status": "paid"}).status_code, token.post({"status": "again"}).status_code] == [200, 200]
        assert run.output == {"status": "paid"}
