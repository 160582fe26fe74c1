"""What MiniStack 1.5.33 does otherwise than S3. `emulator.py` applies it."""

from typing import Any

_ENCRYPTION = {"x-amz-server-side-encryption": "AES256"}
_CHECKSUM = "x-amz-checksum-"


def store_as_s3_does(s3: Any) -> None:
    """Encrypt every object, take binary/octet-stream for its type, and answer PutObject with its checksum.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html and .../API/API_PutObject.html; recorded:
    services/test_aws_sdk_task_service.py, test_s3_get_object and test_s3_put_object. MiniStack says nothing of an encryption
    that nobody asked for, nor of a checksum.
    """
    encryption_of, make, put = s3._bucket_default_sse_headers, s3._build_object_record, s3._put_object

    def make_with_type(body: bytes, headers: dict[str, str], **named: Any) -> Any:
        return make(body, {"content-type": "binary/octet-stream", **headers}, **named)

    def put_with_checksum(bucket: str, key: str, body: bytes, headers: dict[str, str]) -> Any:
        status, answered, content = put(bucket, key, body, headers)
        if stored := s3._buckets.get(bucket, {"objects": {}})["objects"].get(key):
            told = s3._object_response_headers(stored, include_checksums=True)
            answered |= {name: value for name, value in told.items() if name.startswith(_CHECKSUM)}
        return status, answered, content

    s3._bucket_default_sse_headers = lambda bucket: encryption_of(bucket) or dict(_ENCRYPTION)
    s3._build_object_record, s3._put_object = make_with_type, put_with_checksum
