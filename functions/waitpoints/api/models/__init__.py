"""The request bodies as pydantic's models. No function imports them: it has what `make openapi` wrote of them."""
