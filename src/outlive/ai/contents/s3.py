"""Objects in a bucket of a store that speaks S3, by boto3 (`pip install 'outlive[s3]'`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from outlive.ai.contents.errors import ContentsError
from outlive.ai.contents.objects import Entry


class S3Objects:
    """Keys and region are found where boto3 always finds them. `endpoint`: the address, unless it is Amazon's."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None) -> None:
        try:
            import boto3
        except ImportError:
            raise ContentsError("contents on S3 need one more package: pip install 'outlive[s3]'.") from None
        self._client: Any = boto3.client("s3", endpoint_url=endpoint)
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.name = f"s3://{bucket}/{self._prefix}"

    def write(self, name: str, data: bytes) -> None:
        """See Objects."""
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data)

    def read(self, name: str) -> bytes | None:
        """See Objects."""
        try:
            body: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        return body

    def list(self, prefix: str) -> Iterator[Entry]:
        """See Objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{prefix}/"
        )
        for page in pages:
            for found in page.get("Contents", ()):
                name = found["Key"].removeprefix(self._prefix)
                yield Entry(name, found["LastModified"].timestamp(), found["Size"])

    def delete(self, names: Sequence[str]) -> None:
        """See Objects. Raises ContentsError with the first refusal."""
        if not names:
            return
        which = {"Objects": [{"Key": self._prefix + name} for name in names], "Quiet": True}
        refused = self._client.delete_objects(Bucket=self._bucket, Delete=which).get("Errors")
        if refused:
            raise ContentsError(f"{self.name} refused to delete {refused[0].get('Key')}: {refused[0].get('Message')}.")
