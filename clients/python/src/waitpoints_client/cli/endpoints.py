"""`waitpoints endpoints …`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import arguments, show, stacks
from waitpoints_client.cli.options import Body, Headers, Json, Name, Query, Stack, When, Yes, add, group, option
from waitpoints_client.cli.problems import confirm

if TYPE_CHECKING:
    from waitpoints_client.models import Endpoint

endpoints = group("One URL for all deliveries of a provider's account.")


def put(
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
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Make an endpoint, or replace its settings.

    A delivery completes the token that was created with the key NAME:KEY. --verify none lets the URL alone complete tokens.
    """
    options: Any = {"complete_when": complete_when, "output": output, "key_ttl": key_ttl, "tag": tag}
    options["record_deliveries"] = record_deliveries
    checked: Any = "none" if verify == "none" else arguments.parse_verify(verify)
    with stacks.find_client(stack) as waitpoints:
        made = waitpoints.endpoints.put(name, key=key, verify=checked, **options)
    show.answer(made) if as_json else show.fields(_settings(made))


def get(name: Name, stack: Stack = None, as_json: Json = False) -> None:
    """Show an endpoint, and what became of its deliveries."""
    with stacks.find_client(stack) as waitpoints:
        found = waitpoints.endpoints.get(name)
    if as_json:
        show.answer(found)
        return
    show.fields(_settings(found))
    kinds = sorted(found.deliveries.items())
    show.rows(
        ("DELIVERIES", "COUNT", "LAST", "KEY", "WHY"),
        [(kind, str(it.count), show.instant(it.last_at), it.last_key or "", it.last_detail or "") for kind, it in kinds],
    )


def list_(stack: Stack = None, as_json: Json = False) -> None:
    """List endpoints by name."""
    with stacks.find_client(stack) as waitpoints:
        found = list(waitpoints.endpoints.list())
    if as_json:
        show.value([show.as_value(endpoint) for endpoint in found])
    else:
        rows = [
            (it.name, it.key, it.verify.scheme if it.verify else "none", show.instant(it.updated_at), "yes" * it.disabled)
            for it in found
        ]
        show.rows(("NAME", "KEY", "VERIFY", "UPDATED", "DISABLED"), rows)


def disable(name: Name, stack: Stack = None, as_json: Json = False) -> None:
    """Answer deliveries with 503.

    Most providers send them again later.
    """
    with stacks.find_client(stack) as waitpoints:
        changed = waitpoints.endpoints.disable(name)
    show.answer(changed) if as_json else show.fields(_settings(changed))


def enable(name: Name, stack: Stack = None, as_json: Json = False) -> None:
    """Process deliveries again."""
    with stacks.find_client(stack) as waitpoints:
        changed = waitpoints.endpoints.enable(name)
    show.answer(changed) if as_json else show.fields(_settings(changed))


def delete(name: Name, yes: Yes = False, stack: Stack = None, as_json: Json = False) -> None:
    """Delete an endpoint. Its URL never becomes valid again."""
    if not yes:
        confirm(f"Delete {name}? Its URL never becomes valid again.")
    with stacks.find_client(stack) as waitpoints:
        waitpoints.endpoints.delete(name)
    if as_json:
        show.value({"success": True})


def test_(
    name: Name,
    body: Body = "",
    header: Headers = None,
    query: Query = "",
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Say what would become of a delivery, and change nothing."""
    headers = dict(arguments.parse_header(text) for text in header or ())
    with stacks.find_client(stack) as waitpoints:
        trial = waitpoints.endpoints.test(name, arguments.read_content(body), headers=headers, query=query)
    if as_json:
        show.answer(trial)
        return
    token = {"token": trial.token} if trial.token else {}
    output = {"run gets": trial.output_text} if trial.output_text is not None else {}
    show.fields({"outcome": trial.outcome, **token, **output})
    show.rows(("STEP", "RESULT", "WHY"), [(it.step, it.result, it.detail or "") for it in trial.steps])


def url(name: Name, stack: Stack = None, as_json: Json = False) -> None:
    """Print an endpoint's URL, for the provider. Treat it as a secret."""
    with stacks.find_client(stack) as waitpoints:
        found = waitpoints.endpoints.get(name).url
    show.value({"url": found}) if as_json else show.text(found)


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
