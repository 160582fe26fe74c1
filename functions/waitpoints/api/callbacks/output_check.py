"""Whether an output is what its token asks for: by its payloadSchema, or by its page."""

from typing import assert_never

from waitpoints import json_text
from waitpoints.errors import PayloadRefused
from waitpoints.token import Document, DocumentKind, Rules
from waitpoints.wiring import services


def accept(token_id: str, rules: Rules, output: str | None) -> str | None:
    """Return the JSON text that the run gets. Raises PayloadRefused if the output does not fit, and BodyTooLarge where
    a page has approvers. No output counts as `null`.

    An output that fits a payloadSchema stays as it is. One that fits a page is as a person's choice would be: an unticked
    yes or no that was left out is false.
    """
    if rules.has_page:
        from waitpoints.api.page import definition, form

        page = definition.of_text(services.tokens.read_document(token_id, DocumentKind.PAGE))
        choice = form.of_json(page, output or "null")
        if isinstance(choice, form.Errors):
            raise PayloadRefused(choice.message)
        if rules.has_approvers:
            from waitpoints import approvers

            approvers.check_size(choice.output)
        return choice.output
    if rules.has_schema:
        from waitpoints.api import payload_schema

        schema = services.tokens.read_document(token_id, DocumentKind.SCHEMA)
        if schema and (violation := payload_schema.find_violation(json_text.parse(schema), output or "null")):
            raise PayloadRefused(violation.message)
    return output


def fits(document: Document, output: str) -> bool:
    """Whether the document of a token that is about to be created, without approvers, accepts an output's JSON text."""
    match document.kind:
        case DocumentKind.PAGE:
            from waitpoints.api.page import definition, form

            return isinstance(form.of_json(definition.of_text(document.text), output), form.Submission)
        case DocumentKind.SCHEMA:
            from waitpoints.api import payload_schema

            return payload_schema.find_violation(json_text.parse(document.text), output) is None
        case DocumentKind.METADATA:
            return True
    assert_never(document.kind)
