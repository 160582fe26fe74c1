"""Storage of outputs: a small one in the token's item, a large one in the bucket.

A DynamoDB item is limited to 400 KB, and a token's waiters may take half of that.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import ClientError

from waitpoints.aws.error_codes import error_code
from waitpoints.errors import OutputNotFound
from waitpoints.token import Output

IN_ITEM_LIMIT = 100 * 1024  # bytes of UTF-8
LINK_LIFETIME = 300  # seconds
_SALT = os.urandom(16)  # of this function environment


class BucketClient(Protocol):
    """The part of boto3's S3 client that keeps payloads."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> object: ...

    def get_object(self, *, Bucket: str, Key: str) -> Any: ...

    def delete_object(self, *, Bucket: str, Key: str) -> object: ...

    def list_objects_v2(self, *, Bucket: str, Prefix: str) -> Any: ...

    def head_object(self, *, Bucket: str, Key: str) -> object: ...

    def generate_presigned_url(self, ClientMethod: str, Params: Any, ExpiresIn: int) -> str: ...


class Outputs:
    """Outputs in one bucket. Most requests need no S3 client, so the first one that does creates it."""

    def __init__(self, make_client: Callable[[], BucketClient], bucket: str) -> None:
        self._make_client = make_client
        self.bucket = bucket

    def fits_item(self, json: str | None) -> bool:
        """Whether an output's JSON text is stored in the token's item, and not in the bucket."""
        return json is None or len(json.encode()) <= IN_ITEM_LIMIT

    def store(self, token_id: str, json: str | None) -> Output:
        """Store an output before its token refers to it.

        An object is named by its content, so storing it again changes nothing. The salt keeps a caller from making two contents
        of one name. If another completion of the token wins, the bucket's lifecycle rule removes the object.
        """
        if json is None or self.fits_item(json):
            return Output(json)
        body = json.encode()
        key = f"{token_id}/{hashlib.sha256(_SALT + body).hexdigest()[:16]}.json"
        self._client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")
        return Output(json, key)

    def load(self, output: Output) -> Output:
        """Return the output with its JSON loaded."""
        if output.is_loaded:
            return output
        assert output.stored_at is not None, "only an output in the bucket is not loaded"
        body = self._client.get_object(Bucket=self.bucket, Key=output.stored_at)["Body"]
        return Output(body.read().decode(), output.stored_at)

    def delete(self, output: Output) -> None:
        """Delete what no token refers to any more."""
        if output.stored_at is not None:
            self._client.delete_object(Bucket=self.bucket, Key=output.stored_at)

    def delete_all(self, token_id: str) -> None:
        """Delete every output that was stored for a token, also by completions that lost a race."""
        while found := self._client.list_objects_v2(Bucket=self.bucket, Prefix=f"{token_id}/").get("Contents"):
            for it in found:
                self._client.delete_object(Bucket=self.bucket, Key=it["Key"])

    def make_download_url(self, stored_at: str) -> str:
        """Return a presigned URL that is valid for LINK_LIFETIME. Raises OutputNotFound.

        For a missing object, S3 answers 404 only if the caller may list the bucket, else 403 (S3 API reference, HeadObject).
        """
        where = {"Bucket": self.bucket, "Key": stored_at}
        try:
            self._client.head_object(Bucket=self.bucket, Key=stored_at)
        except ClientError as error:
            if error_code(error) in ("403", "404"):
                raise OutputNotFound from None
            raise
        return self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=LINK_LIFETIME)

    @cached_property
    def _client(self) -> BucketClient:
        return self._make_client()
