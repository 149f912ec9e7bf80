"""The codec as a plug-in."""

from __future__ import annotations

from dataclasses import replace

from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin

from outlive.ai.contents.codec import ContentsCodec
from outlive.ai.contents.parents import ParentsInterceptor
from outlive.ai.contents.store import Store
from outlive.limits import CONTENTS_THRESHOLD


class ContentsPlugin(SimplePlugin):
    """Large payloads of a client and its workers are stored once: see ContentsCodec.

    client = await Client.connect("localhost:7233", plugins=[ContentsPlugin(store_at("contents"))])

    A codec that the client has already, such as one that encrypts, comes after this one on the way out.
    """

    def __init__(self, store: Store, *, threshold: int = CONTENTS_THRESHOLD, key: bytes | None = None) -> None:
        def converter(given: DataConverter | None) -> DataConverter:
            given = given or DataConverter.default
            codec = ContentsCodec(store, threshold=threshold, key=key, then=given.payload_codec)
            return replace(given, payload_codec=codec)

        super().__init__("outlive.contents", data_converter=converter, interceptors=[ParentsInterceptor()])
