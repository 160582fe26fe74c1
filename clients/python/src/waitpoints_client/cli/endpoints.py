"""`waitpoints endpoints …`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import arguments, show
from waitpoints_client.cli.commands import Printed, on_stack
from waitpoints_client.cli.options import Body, Headers, Name, Query, When, Yes, add, group, option
from waitpoints_client.cli.problems import confirm

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.models import Endpoint

endpoints = group("One URL for all deliveries of a provider's account.")


@on_stack
def put(
    waitpoints: "Waitpoints",
    name: Name,
    key: Annotated[str, option("--key", metavar="EXPR", help="JMESPath: what a delivery's key is, such as body.order.")],
    verify: Annotated[str, option("--verify", metavar="SCHEME:SECRET", help="How the provider signs, also as JSON, or none.")],
    complete_when: When = None,
    output: Annotated[str | None, option("--output", metavar="EXPR", help="JMESPath: the output. Default: the body.")] = None,
    key_ttl: Annotated[
        str | None, option("--key-ttl", metavar="TIME", help="How long to keep a delivery that comes first. Default: 24h.")
    ] = None,
    tag: Annotated[
        str | None, option("--tag", metavar="TAG", help="For API keys limited to TAG: keys are TAG:NAME:KEY.")
    ] = None,
    record_deliveries: Annotated[
        str | None,
        option(
            "--record-deliveries",
            metavar="TIME",
            help="How long to record each verified delivery, such as 7d. Default: not at all.",
        ),
    ] = None,
) -> Printed:
    """Make an endpoint, or replace its settings.

    A delivery completes the token that was created with the key NAME:KEY. --verify none lets the URL alone complete tokens.
    """
    options: Any = {"complete_when": complete_when, "output": output, "key_ttl": key_ttl, "tag": tag}
    options["record_deliveries"] = record_deliveries
    checked: Any = "none" if verify == "none" else arguments.parse_verify(verify)
    made = waitpoints.endpoints.put(name, key=key, verify=checked, **options)
    return Printed(made, _settings(made))


@on_stack
def get(waitpoints: "Waitpoints", name: Name) -> Printed:
    """Show an endpoint, and what became of its deliveries."""
    found = waitpoints.endpoints.get(name)
    kinds = sorted(found.deliveries.items())
    rows = [(kind, str(it.count), show.instant(it.last_at), it.last_key or "", it.last_detail or "") for kind, it in kinds]
    return Printed(found, _settings(found), table=(("DELIVERIES", "COUNT", "LAST", "KEY", "WHY"), rows))


@on_stack
def list_(waitpoints: "Waitpoints") -> Printed:
    """List endpoints by name."""
    found = list(waitpoints.endpoints.list())
    rows = [
        (it.name, it.key, it.verify.scheme if it.verify else "none", show.instant(it.updated_at), "yes" * it.disabled)
        for it in found
    ]
    return Printed(found, table=(("NAME", "KEY", "VERIFY", "UPDATED", "DISABLED"), rows))


@on_stack
def disable(waitpoints: "Waitpoints", name: Name) -> Printed:
    """Answer deliveries with 503.

    Most providers send them again later.
    """
    changed = waitpoints.endpoints.disable(name)
    return Printed(changed, _settings(changed))


@on_stack
def enable(waitpoints: "Waitpoints", name: Name) -> Printed:
    """Process deliveries again."""
    changed = waitpoints.endpoints.enable(name)
    return Printed(changed, _settings(changed))


@on_stack
def delete(waitpoints: "Waitpoints", name: Name, yes: Yes = False) -> Printed:
    """Delete an endpoint. Its URL never becomes valid again."""
    confirm(f"Delete {name}? Its URL never becomes valid again.", yes=yes)
    waitpoints.endpoints.delete(name)
    return Printed({"success": True})


@on_stack
def test_(waitpoints: "Waitpoints", name: Name, body: Body = "", header: Headers = None, query: Query = "") -> Printed:
    """Say what would become of a delivery, and change nothing."""
    headers = dict(arguments.parse_header(text) for text in header or ())
    trial = waitpoints.endpoints.test(name, arguments.read_content(body), headers=headers, query=query)
    token = {"token": trial.token} if trial.token else {}
    output = {"run gets": trial.output_text} if trial.output_text is not None else {}
    rows = [(it.step, it.result, it.detail or "") for it in trial.steps]
    return Printed(trial, {"outcome": trial.outcome, **token, **output}, table=(("STEP", "RESULT", "WHY"), rows))


@on_stack
def url(waitpoints: "Waitpoints", name: Name) -> Printed:
    """Print an endpoint's URL, for the provider. Treat it as a secret."""
    found = waitpoints.endpoints.get(name).url
    return Printed({"url": found}, text=found)


def _settings(endpoint: "Endpoint") -> dict[str, str]:
    from waitpoints_client.wire import duration

    verify = endpoint.verify
    when = {"complete when": endpoint.complete_when} if endpoint.complete_when else {}
    secret = f"{verify.scheme} with the secret {verify.secret}" if verify else "none"
    settings = {"name": endpoint.name, "key": endpoint.key, "verify": secret, **when, "output": endpoint.output}
    tag = {"tag": endpoint.tag} if endpoint.tag else {}
    disabled = {"disabled": "deliveries get 503"} if endpoint.disabled else {}
    recorded = {"recorded for": duration(endpoint.record_deliveries)} if endpoint.record_deliveries else {}
    return {
        **settings,
        **tag,
        **disabled,
        "kept for": duration(endpoint.key_ttl),
        **recorded,
        "updated": show.instant(endpoint.updated_at),
        "url": endpoint.url,
    }


def add_to(program: typer.Typer) -> None:
    add(endpoints, (put, get, list_, disable, enable, delete, test_, url))
    program.add_typer(endpoints, name="endpoints", rich_help_panel="Endpoints")
