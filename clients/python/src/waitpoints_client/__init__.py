"""A client for a Waitpoints stack: create tokens, complete them, and wait for what becomes of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from waitpoints_client.version import __version__

if TYPE_CHECKING:  # the names below, which `__getattr__` imports
    from waitpoints_client.aio import *
    from waitpoints_client.asking import *
    from waitpoints_client.client import *
    from waitpoints_client.errors import *
    from waitpoints_client.models import *
    from waitpoints_client.options import *
    from waitpoints_client.request_types import *
    from waitpoints_client.wire import *

__all__ = [
    "TIMEOUT_CODE",
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "Action",
    "Approver",
    "ApproverAnswer",
    "ApproverLink",
    "ApproverOptions",
    "AskOptions",
    "AsyncEndpoints",
    "AsyncKeys",
    "AsyncPages",
    "AsyncWaitpoints",
    "AuthenticationError",
    "BadRequestError",
    "CompletedBy",
    "Completion",
    "ConfigurationError",
    "ConflictError",
    "CreateOptions",
    "CreatedKey",
    "CreatedToken",
    "DeletedDeliveries",
    "Deliveries",
    "DeliveryFilters",
    "DeliveryKind",
    "DeliveryOrId",
    "DomainsOptions",
    "Duration",
    "Endpoint",
    "EndpointOptions",
    "EndpointTrial",
    "EndpointWithDeliveries",
    "Endpoints",
    "EscalateOptions",
    "Escalation",
    "Failed",
    "Form",
    "FormChoice",
    "FormChoices",
    "FormField",
    "HandOver",
    "HandedOver",
    "HasId",
    "InvalidAnswerError",
    "KeyCompletion",
    "Keys",
    "Link",
    "ListFilters",
    "ListedToken",
    "MovedDeadline",
    "NamedKey",
    "NotFoundError",
    "Notice",
    "Notify",
    "NotifyOptions",
    "Ok",
    "OtherDeliveries",
    "Page",
    "PageOptions",
    "Pages",
    "People",
    "PermissionDeniedError",
    "PublicTokenClaims",
    "RateLimitError",
    "RecordedDelivery",
    "Reminders",
    "Result",
    "RetrievedDelivery",
    "ServerError",
    "SignInDomains",
    "SignedIn",
    "Status",
    "Timeout",
    "Token",
    "TokenError",
    "TokenFailedError",
    "TokenOrId",
    "TokenPage",
    "TokenTimedOutError",
    "TrialStep",
    "UnprocessableEntityError",
    "Verification",
    "Verify",
    "WaitTimeoutError",
    "Waiter",
    "Waitpoints",
    "WaitpointsError",
    "__version__",
]

_MODULES = ("errors", "options", "request_types", "models", "wire", "client", "aio", "asking")


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is first used: the command line shows its help without httpx and pydantic."""
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{module}" for module in _MODULES)):
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
