"""Payloads outside of histories, stored once: docs/conversations.md.

store = store_at("contents/")                       # a folder, s3://BUCKET/PREFIX, or ledger:
client = await Client.connect("localhost:7233", plugins=[ContentsPlugin(store)])
"""

from outlive.ai.contents.codec import ContentsCodec
from outlive.ai.contents.collect import Collected, collect
from outlive.ai.contents.errors import ContentDamaged, ContentMissing, ContentsError
from outlive.ai.contents.ledger import LedgerStore
from outlive.ai.contents.objects import FolderObjects, ObjectStore
from outlive.ai.contents.places import store_at
from outlive.ai.contents.plugin import ContentsPlugin
from outlive.ai.contents.s3 import S3Objects
from outlive.ai.contents.seal import Seal
from outlive.ai.contents.store import Owner, Store, Swept

__all__ = [
    "Collected",
    "ContentDamaged",
    "ContentMissing",
    "ContentsCodec",
    "ContentsError",
    "ContentsPlugin",
    "FolderObjects",
    "LedgerStore",
    "ObjectStore",
    "Owner",
    "S3Objects",
    "Seal",
    "Store",
    "Swept",
    "collect",
    "store_at",
]
