"""A session of boto3 whose clients answer by a table. What is asked and answered is checked against botocore's models."""

from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters
from waitpoints_client.ops.deployed import Deployed


class Answers:
    """`table`: by operation one answer, or several for one call after the other. A text is an error's code."""

    region_name = "eu-west-1"

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = {name: [*it] if isinstance(it, list) else it for name, it in table.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str, **_: Any) -> Any:
        session: Any = boto3.Session("test", "test", region_name=self.region_name)
        client = session.client(service)
        client.meta.events.register(
            "before-parameter-build", lambda params, model, **_: self.asked.append((model.name, params))
        )
        client.meta.events.register("before-call", lambda model, **_: self._answer(model))
        return client

    def _answer(self, model: Any) -> tuple[AWSResponse, dict[str, Any]]:
        answer = self.table[model.name]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, str):
            return AWSResponse("", 400, HTTPHeaders(), None), {"Error": {"Code": answer, "Message": "No"}}
        if model.output_shape:
            validate_parameters(answer, model.output_shape)
        return AWSResponse("", 200, HTTPHeaders(), None), {**answer}


def deployed(name: str, table: dict[str, Any]) -> Deployed:
    """A stack in an account that answers so."""
    return Deployed(name, Answers(table))  # type: ignore[arg-type] # it has of a session what is asked of one
