"""The stack on moto as one on this machine, for what works on a deployed one."""

from dataclasses import dataclass
from typing import Any

import boto3
from waitpoints_client.ops.deployed import Deployed, Outputs

from tests.support.in_process.api_gateway import DOMAIN
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import STACK_NAME

URL = f"https://{DOMAIN}"


@dataclass(frozen=True)
class OnMoto(Deployed):
    stack: MotoStack | None = None

    def client(self, service: str) -> Any:
        return client_of(service)

    @property
    def outputs(self) -> Outputs:
        assert self.stack
        return Outputs(TableName=self.stack.table, ApiUrl=URL, ExpireFunctionName="expire_tokens")

    def invoke(self, function: str, payload: Any, seconds: int = 0) -> Any:
        assert self.stack
        return self.stack.call(function, payload)


def on_moto(stack: MotoStack) -> OnMoto:
    return OnMoto(STACK_NAME, boto3.Session(), {"endpoint_url": "http://127.0.0.1:1"}, {}, stack)
