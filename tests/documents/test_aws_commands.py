"""Every line with `aws` in the documents is a command of the AWS CLI, with options that it knows and all that it needs."""

import pytest

from tests.support.aws_commands import lines, problem


@pytest.mark.parametrize(("page", "line"), lines())
def test_is_a_command_with_its_options(page: str, line: str) -> None:
    assert problem(line) == ""


def test_the_pages_have_them() -> None:
    assert {"README.md", "operation.md", "events.md", "first_hour.sh"} <= {page for page, _ in lines()}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("lambda get-account-setting", "lambda has no get-account-setting"),
        ("dynamodb delete-table --name it", "delete-table has no --name, delete-table needs --table-name"),
        ("dynamodb wait table-there --table-name it", "dynamodb has no waiter table-there"),
    ],
)
def test_what_is_none_is_seen(line: str, says: str) -> None:
    assert problem(line) == says
