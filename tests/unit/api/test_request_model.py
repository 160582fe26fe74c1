"""What is said of a body that is wrong in many places."""

from tests.support.example_requests import put_example_endpoint
from tests.support.in_process.api_gateway import Api
from tools.openapi.operations import by_id


def test_many_unknown_names_and_wrong_values_have_a_short_answer(api: Api) -> None:
    """A body of the largest size has hundreds of thousands of them."""
    put_example_endpoint()
    trial = by_id("try_endpoint_v1").example_path()
    many = {f"n{number}": number for number in range(100_000)}
    for body in (many, {"headers": many}):
        answer = api.post(trial, body)
        assert (answer.status, len(answer.text) < 500) == (400, True)
    scopes = api.post(by_id("create_public_token_v1").path, {"claims": {"scopes": [1] * 2_500}})
    assert (scopes.status, len(scopes.text) < 500) == (400, True)
