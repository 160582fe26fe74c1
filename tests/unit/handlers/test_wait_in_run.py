"""The route that Trigger.dev's SDK calls before it waits."""

from tests.support.in_process.api_gateway import Api

UNKNOWN = "waitpoint_" + "0" * 26


def test_the_sdks_wait_route_finds_only_existing_tokens(api: Api) -> None:
    token = api.create()
    for _ in range(2):
        answer = api.post(f"/engine/v1/runs/run_1/waitpoints/tokens/{token['id']}/wait")
        assert (answer.status, answer.json) == (200, {"success": True})
    assert api.post(f"/engine/v1/runs/run_1/waitpoints/tokens/{UNKNOWN}/wait").status == 404
