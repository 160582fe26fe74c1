"""The smoke test's checks of endpoints, and of the deliveries that they record."""

from typing import Any

from waitpoints_client.ops import webhook_secrets
from waitpoints_client.ops.caller import Caller, Unexpected, expect, permitted
from waitpoints_client.ops.smoke_requests import check_completed, check_refused, signed
from waitpoints_client.ops.smoke_waits import PAYLOAD

ENDPOINTS = "/api/v1/endpoints"
KEY = "body.items[0].id"


def completes_by_an_endpoint(caller: Caller) -> str:
    """Make an endpoint, deliver before the token with that key exists, create the token, and delete the endpoint."""
    name = caller.tag
    path, settings = f"{ENDPOINTS}/{name}", {"key": KEY, "verify": "none", "keyTTL": "1h"}
    with caller.removed_after(f"the endpoint {name}", lambda: caller.delete(path)):
        url = caller.call("PUT", path, settings)["url"]
        answer = caller.request("POST", url, PAYLOAD)
        expect(answer.status == 200, f"a delivery was answered {answer.reason()}")
        found = caller.retrieve(caller.create(idempotencyKey=f"{name}:1"))
        if (found["status"], found.get("output")) != ("COMPLETED", PAYLOAD.decode()):
            raise Unexpected(f"the token of the delivery's key is {found['status']}")
    expect(caller.request("GET", path, key=caller.api_key).status == 404, "it exists after its deletion")
    return "a delivery that came before its token"


def records_deliveries(caller: Caller) -> str:
    """Make an endpoint that records signed deliveries. Try it, deliver, then list, read, send again and delete what came."""
    name, secret = f"{caller.tag}-records", webhook_secrets.generate()
    path = f"{ENDPOINTS}/{name}"
    with caller.removed_after(f"the secret {name}", lambda: webhook_secrets.delete(caller.stack, name)):
        with permitted():
            webhook_secrets.put(caller.stack, name, secret)
        settings = {"key": KEY, "verify": {"scheme": "github", "secret": name}, "keyTTL": "1h", "recordDeliveries": "1h"}
        with caller.removed_after(f"the endpoint {name}", lambda: caller.delete(path)):
            url = caller.call("PUT", path, settings)["url"]
            find(caller, f"{ENDPOINTS}?page%5Bafter%5D={caller.tag}", "name", name)
            deliver_signed(caller, path, url, secret)
            token = caller.create(idempotencyKey=f"{name}:1")
            with caller.removed_after(f"the deliveries of {name}", lambda: caller.call("DELETE", f"{path}/deliveries")):
                use_record(caller, f"{path}/deliveries", caller.create(), token)
    return "a signed one: tried, recorded, listed, read, sent again and deleted"


def deliver_signed(caller: Caller, path: str, url: str, secret: str) -> None:
    """Say what would become of a delivery, then deliver it, with a wrong signature and with the right one."""
    headers = {"x-hub-signature-256": signed(secret)}
    tried = caller.call("POST", f"{path}/test", {"body": PAYLOAD.decode(), "headers": headers})
    expect(tried.get("outcome") == "kept", f"a test of a delivery says {tried.get('outcome')}, not kept")
    check_refused(caller.request("POST", url, PAYLOAD, x_hub_signature_256=signed("wrong")).status)
    answer = caller.request("POST", url, PAYLOAD, x_hub_signature_256=headers["x-hub-signature-256"])
    expect(answer.status == 200, f"a signed delivery was answered {answer.reason()}")


def use_record(caller: Caller, path: str, other: dict[str, Any], token: dict[str, Any]) -> None:
    """Read the record of the delivery, send it to another token, and delete it."""
    record = find(caller, path, "kind", "kept")
    of_record = f"{path}/{record['id']}"
    expect(caller.call("GET", of_record).get("body") == PAYLOAD.decode(), "the recorded body differs from what was posted")
    caller.call("POST", f"{of_record}/resend", {"tokenId": other["id"]})
    for completed in (token, other):
        check_completed(caller, completed)
    caller.call("DELETE", of_record)
    expect(caller.request("GET", of_record, key=caller.api_key).status == 404, "the record exists after its deletion")


def find(caller: Caller, path: str, member: str, value: str) -> dict[str, Any]:
    """Return the item of a list with this member. A list is a moment behind."""

    def check() -> dict[str, Any] | None:
        listed: list[dict[str, Any]] = caller.call("GET", path)["data"]
        return next((item for item in listed if item[member] == value), None)

    return caller.wait_until(check, f"GET {path.partition('?')[0]} lists no {member} {value}")
