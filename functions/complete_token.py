"""POST /api/v1/waitpoints/tokens/{waitpointId}/complete: complete a token with data, or fail it with an error.

The credential is the API key, or the token's public access token. Browsers may call this route: a web page can complete a
token with the latter.
"""

from dataclasses import replace

from waitpoints import ids
from waitpoints.api import complete_request
from waitpoints.api.callbacks import callback
from waitpoints.api.http import PAYLOAD_LIMIT, Request, Response, http_handler
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.api.public_access_token import check_may_complete
from waitpoints.api.representation import completed
from waitpoints.token import Source
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.credentials, s.step_functions_client))


@http_handler("POST", api_key_required=False, browsers=True)
def handler(request: Request) -> Response:
    written_id = request.path["waitpointId"]
    completer = check_may_complete(services.credentials, request.authorization, written_id)
    token_id = ids.parse(written_id)
    result = complete_request.parse(request.read_members(PAYLOAD_LIMIT), ignore_unknown=request.from_sdk)
    by = replace(read_completed_by(request, Source.COMPLETE), key=completer.caller.name)
    settled = callback.complete(
        token_id, result, by, completer.caller, by_api_key=completer.by_api_key, by_root_key=completer.by_root_key
    )
    return Response(completed(settled))
