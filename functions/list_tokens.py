"""GET /api/v1/waitpoints/tokens: a page of tokens, newest first."""

from waitpoints import aws, list_query
from waitpoints.http import Request, Response, endpoint
from waitpoints.representation import listed

aws.build_at_start(aws.tokens, aws.callback_urls, aws.credentials)


@endpoint("GET")
def handler(request: Request) -> Response:
    aws.credentials().check_api_key(request.authorization)
    page = aws.tokens().list_page(list_query.parse(request.raw_query, aws.now()))
    pagination = {name: cursor for name, cursor in (("next", page.next), ("previous", page.previous)) if cursor}
    data = [listed(token, aws.callback_urls().url(token.id)) for token in page.tokens]
    return Response({"data": data, "pagination": pagination})
