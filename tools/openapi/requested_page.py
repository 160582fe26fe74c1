"""The `page` of a create request as pydantic models, for `openapi.yaml`. `waitpoints.api.page` checks it, with better messages.

Only its shape is described, so that generated types name a wrong member. `docs/pages.md` has the limits.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from tools.openapi.answers import AnswerModel, Approver, SignInDomains, _optional

Language = Literal["en", "de", "fr", "es", "ja", "zh"]


class RequestedTranslations(AnswerModel):
    """A text for each language of the page."""

    en: str = _optional("English.")
    de: str = _optional("German.")
    fr: str = _optional("French.")
    es: str = _optional("Spanish.")
    ja: str = _optional("Japanese.")
    zh: str = _optional("Chinese.")


Text = str | RequestedTranslations


class RequestedLink(AnswerModel):
    """A link on a page."""

    url: str = Field(description="An absolute URL of the scheme https, http or mailto.")
    label: Text = _optional("By default the URL.")


class RequestedCurrency(AnswerModel):
    """An amount of money."""

    currency: str = Field(description='A code of ISO 4217, such as "USD".', pattern="^[A-Z]{3}$")


class RequestedFact(AnswerModel):
    """What a person should know: a label and a value."""

    label: Text
    value: Text | float = Field(description='A text, a number, or a decimal text such as "1500.00".')
    format: Literal["number", "percent", "date", "instant", "link"] | RequestedCurrency = _optional(
        "How the value is written. Without it, as a text, or as a number."
    )
    kind: Text = _optional('What a link leads to, such as "PDF, 120 KB".')


class RequestedFacts(AnswerModel):
    """Facts with a title."""

    title: Text
    facts: list[RequestedFact]


class RequestedAction(AnswerModel):
    """A button of a page."""

    id: str = Field(description="What the run gets as `action`.", pattern="^[A-Za-z0-9_-]{1,64}$")
    label: Text
    style: Literal["primary", "danger"] = _optional("How the button looks.")
    needs: int = _optional("How many approvers must choose it. Default: one.")
    needsFields: bool = _optional("`false`: who chooses it may leave required fields empty.")


class RequestedChoice(AnswerModel):
    """One of the choices of a field."""

    const: str | float
    title: Text = _optional("What the person sees. By default the value.")


class RequestedItems(AnswerModel):
    """The choices of a field with several."""

    type: Literal["string", "number", "integer"] = _optional("The type of each choice.")
    enum: list[str | float] = _optional("The choices.")
    oneOf: list[RequestedChoice] = _optional("The choices, each with a title.")


class RequestedField(AnswerModel):
    """A field of a form. docs/pages.md says which keywords go together."""

    type: Literal["string", "number", "integer", "boolean", "array"] = _optional("What the run gets.")
    title: Text = _optional("What the person sees. By default the field's name.")
    description: Text = _optional("An explanation below the title.")
    default: Any = _optional("What the form shows at first.")
    format: Literal["textarea", "date", "email", "number", "percent"] | RequestedCurrency = _optional(
        "Of a string: textarea, date or email. Of a number: how it is written."
    )
    minLength: int = _optional("Of a string.")
    maxLength: int = _optional("Of a string.")
    pattern: str = _optional("Of a string. The page does not show it.")
    minimum: float = _optional("Of a number.")
    maximum: float = _optional("Of a number.")
    exclusiveMinimum: float = _optional("Of a number.")
    exclusiveMaximum: float = _optional("Of a number.")
    multipleOf: float = _optional("Of a number.")
    const: Literal[True] = _optional("Of a boolean: the box must be ticked.")
    enum: list[str | float] = _optional("One choice of these.")
    oneOf: list[RequestedChoice] = _optional("One choice of these, each with a title.")
    items: RequestedItems = _optional("Several choices of these.")
    minItems: int = _optional("Of several choices.")
    maxItems: int = _optional("Of several choices.")
    uniqueItems: bool = _optional("Of several choices, each of which counts once in any case.")


class RequestedForm(AnswerModel):
    """A JSON Schema of an object, which is drawn as a form."""

    type: Literal["object"] = _optional("May be left out.")
    properties: dict[str, RequestedField]
    required: list[str] = _optional("The names of the fields that a person must fill in.")
    additionalProperties: bool = _optional("Changes nothing: an answer with another field is refused.")
    title: Text = _optional("Not shown.")
    description: Text = _optional("Not shown.")
    schema_: Annotated[str, Field(alias="$schema")] = _optional("Not read.")


class RequestedEscalation(AnswerModel):
    """Who may answer, too, after a time."""

    after: str = Field(description='A duration from the creation of the token, such as "1d".')
    to: list[str | Approver]


class RequestedPage(AnswerModel):
    """What a person is shown who opens the callback URL."""

    title: Text = Field(description="The question.")
    text: Text = _optional("Plain text.")
    facts: list[RequestedFact] | list[RequestedFacts] = _optional("What is asked about.")
    links: list[RequestedLink] = _optional("They open in a new tab.")
    actions: list[RequestedAction] = _optional("The buttons. Without them, there is one with the id `submit`.")
    fields: RequestedForm = _optional("What the person fills in.")
    confirm: bool = _optional("Whether the person must confirm.")
    remind: str | list[str] = _optional(
        "When approvers who have not answered are reminded: durations from the creation of the token, or `every 1d`."
    )
    language: Language | list[Language] = _optional("The language of its texts, or several of which readers get their own.")
    timeZone: str = _optional('The zone of times in its mails and messages, such as "Europe/Berlin". Default: UTC.')
    approvers: list[str | Approver] = _optional(
        "Who may answer, each once, by a link of their own or signed in. A text is an id, and an address if it is one."
    )
    requestedBy: str = _optional("Who asks for the decision, and is left out of those who may answer without `selfApproval`.")
    selfApproval: bool = _optional("Whether `requestedBy` may answer.")
    escalate: RequestedEscalation = _optional("Who may answer, too, after a time.")
    showAnswers: bool = _optional("`false` hides from approvers what the others have entered.")
    sameFields: Literal[True] | list[str] = _optional(
        "Names of fields, or `true` for all, into which those who choose the same action must enter the same."
    )
    signIn: Literal[True] | SignInDomains = _optional(
        "`true`: each approver signs in. Without approvers: anyone of these domains may answer."
    )
    maxAge: str = _optional('How old a sign-in may be: a duration such as "5m".')
