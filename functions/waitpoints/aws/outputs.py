"""Where a payload lives: in the token's item while it is small, else in the bucket.

An item of DynamoDB holds 400 KB, and a token's waiters may need half of that.
"""

import secrets
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import ClientError

from waitpoints.errors import OutputNotFound
from waitpoints.token import Output

IN_ITEM_LIMIT = 100 * 1024  # bytes of UTF-8
LINK_LIFETIME = 300  # seconds


class BucketClient(Protocol):
    """The part of boto3's S3 client that keeps payloads."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> object: ...

    def get_object(self, *, Bucket: str, Key: str) -> Any: ...

    def head_object(self, *, Bucket: str, Key: str) -> object: ...

    def generate_presigned_url(self, ClientMethod: str, Params: Any, ExpiresIn: int) -> str: ...


class Outputs:
    """Payloads in one bucket. The client is only made once a payload is too large for the table."""

    def __init__(self, make_client: Callable[[], BucketClient], bucket: str) -> None:
        self._make_client = make_client
        self.bucket = bucket

    def store(self, token_id: str, json: str | None) -> Output:
        """Store a payload before any token refers to it.

        If the completion then loses to another one, the bucket's lifecycle rule removes the object.
        """
        if json is None or len(body := json.encode()) <= IN_ITEM_LIMIT:
            return Output(json)
        key = f"{token_id}/{secrets.token_hex(8)}.json"
        self._client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")
        return Output(json, key)

    def load(self, output: Output) -> Output:
        """The same output with its JSON at hand."""
        if output.stored_at is None or output.json is not None:
            return output
        body = self._client.get_object(Bucket=self.bucket, Key=output.stored_at)["Body"]
        return Output(body.read().decode(), output.stored_at)

    def download_url(self, stored_at: str) -> str:
        """A link with which anyone can download the object for a few minutes. Raises OutputNotFound.

        S3 answers 404 only to callers that may list the bucket, and 403 to all others (S3 API reference, HeadObject).
        """
        where = {"Bucket": self.bucket, "Key": stored_at}
        try:
            self._client.head_object(Bucket=self.bucket, Key=stored_at)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("403", "404"):
                raise OutputNotFound from None
            raise
        return self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=LINK_LIFETIME)

    @cached_property
    def _client(self) -> BucketClient:
        return self._make_client()
