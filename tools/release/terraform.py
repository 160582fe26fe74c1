"""A Terraform configuration of the stack, with a variable for each of the template's parameters. No one has applied it yet.

It is a file beside `template.yaml`: docs/operation.md says what `template_url` is.
"""

import json
from collections.abc import Mapping
from typing import Any

_STACK = """terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}

variable "template_url" {
  type        = string
  description = "The URL of packaged.yaml in your bucket"
}

resource "aws_cloudformation_stack" "waitpoints" {
  name         = "waitpoints"
  template_url = var.template_url
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters = {
%s
  }
}

output "outputs" {
  value = aws_cloudformation_stack.waitpoints.outputs
}
"""


def configuration(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Return main.tf for the template's parameters."""
    used = "\n".join(f"    {name} = var.{name}" for name in parameters)
    return "\n".join([_STACK % used, *(_variable(name, it) for name, it in parameters.items())])


def _variable(name: str, parameter: Mapping[str, Any]) -> str:
    said, default = (_text(str(parameter.get(it, ""))) for it in ("Description", "Default"))
    return f'variable "{name}" {{\n  type        = string\n  description = {said}\n  default     = {default}\n}}\n'


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
