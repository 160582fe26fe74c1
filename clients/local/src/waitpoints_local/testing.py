"""What a test of your own state machine works with. pytest has the fixture `machine` once this package is installed.

def test_it_is_approved(machine: Machine) -> None:
    run = machine("approval.asl.json", {"order": 1}, stand_ins={"NotifyFunction": {"sent": True}})
    run.waiting("Wait for approval").answer({"action": "approve"})
    assert run.output == {"approved": True}

Everything waits until it is so, or fails with the path that the run took.
"""

from waitpoints_client.cli.outbox import Mail

from waitpoints_local.machine.endpoints import Endpoint
from waitpoints_local.machine.live_run import Run, RunError, Token
from waitpoints_local.machine.machines import Machine
from waitpoints_local.machine.stand_ins import Fails, Returns
from waitpoints_local.machine.visits import State

__all__ = ["Endpoint", "Fails", "Machine", "Mail", "Returns", "Run", "RunError", "State", "Token"]
