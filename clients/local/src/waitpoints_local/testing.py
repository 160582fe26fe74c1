"""What a test of your own state machine, or durable function, works with. Once this package is installed, pytest has the
fixtures `machine` and `durable`.

def test_it_is_approved(machine: Machine) -> None:
    run = machine("approval.asl.json", {"order": 1}, stand_ins={"NotifyFunction": {"sent": True}})
    run.waiting("Wait for approval").answer({"action": "approve"})
    assert run.output == {"approved": True}

def test_it_is_rejected(durable: Durable) -> None:
    run = durable("functions/approval.py", {"order": 1})
    run.waiting("approval").answer({"action": "reject"})
    assert run.output == {"status": "rejected"}

Everything waits until it is so, or fails with the path that the run took.
"""

from waitpoints_client.cli.outbox import Mail

from waitpoints_local.durable.durables import Durable
from waitpoints_local.durable.live_run import DurableRun
from waitpoints_local.machine.endpoints import Endpoint
from waitpoints_local.machine.live_run import Run, RunError, Token
from waitpoints_local.machine.machines import Machine
from waitpoints_local.machine.stand_ins import Fails, Returns
from waitpoints_local.machine.visits import State

__all__ = ["Durable", "DurableRun", "Endpoint", "Fails", "Machine", "Mail", "Returns", "Run", "RunError", "State", "Token"]
