"""The codec through its public face, on every store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    NexusSerializationContext,
    PayloadCodec,
    WorkflowSerializationContext,
)

from outlive.ai.contents import (
    ContentDamaged,
    ContentMissing,
    ContentsCodec,
    ContentsError,
    FolderObjects,
    ObjectStore,
    Owner,
    Seal,
    Store,
    store_at,
)
from tests.ai.contents.stores import opened

HERE = WorkflowSerializationContext("default", "chat/1 ü")
TEXT = "All that is said. " * 60


@pytest.fixture(params=["folder", "s3", "ledger"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    if request.param == "s3":
        pytest.importorskip("boto3", reason="no boto3 here: pip install 'outlive[s3]'")
        for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "us-east-1")):
            monkeypatch.setenv(f"AWS_{name}", value)
    async with opened(request.param, tmp_path) as store:
        yield store


def plain(value: object) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


async def through(codec: ContentsCodec, payload: Payload) -> Payload:
    return (await codec.decode(await codec.encode([payload])))[0]


async def test_a_chat_is_stored_once_and_read_by_another_process(store: Store) -> None:
    messages: list[dict[str, str]] = []
    codec = ContentsCodec(store).with_context(HERE)
    in_history = 0
    for number in range(40):
        messages.append({"role": "user", "content": f"{number} {TEXT}"})
        (encoded,) = await codec.encode([plain(messages)])
        in_history += encoded.ByteSize()
    assert in_history < 40 * 500
    (decoded,) = await ContentsCodec(store).with_context(HERE).decode([encoded])
    assert decoded == plain(messages)
    (alone,) = await codec.encode([plain(messages[7]["content"])])
    assert alone.ByteSize() < 120


async def test_small_payloads_stay(store: Store) -> None:
    codec = ContentsCodec(store).with_context(HERE)
    payload = plain("short")
    assert await codec.encode([payload]) == [payload]
    assert await store.owners("default", time.time() + 9) == []


async def test_what_belongs_to_no_workflow_stays(store: Store) -> None:
    for codec in (
        ContentsCodec(store),
        ContentsCodec(store).with_context(NexusSerializationContext("e", "s", "o")),
        ContentsCodec(store).with_context(
            ActivitySerializationContext("default", "a", "type", "queue", None, None, False)
        ),
    ):
        assert await codec.encode([plain(TEXT)]) == [plain(TEXT)]


async def test_released_contents_go_and_say_so(store: Store) -> None:
    one, two = Owner("default", "one"), Owner("default", "two")
    await store.put({_digest(b"shared"): b"shared", _digest(b"own"): b"own"}, [one])
    await store.keep([_digest(b"shared")], [two])
    assert sorted(await store.owners("default", time.time() + 9)) == ["one", "two"]
    assert await store.owners("default", time.time() - 9) == []
    assert await store.owners("other", time.time() + 9) == []
    await store.release([one])
    assert await store.owners("default", time.time() + 9) == ["two"]
    assert (await store.sweep(time.time() - 9)).contents == 0, "it is new"
    if isinstance(store, ObjectStore):  # the ledger does it by itself
        assert await store.sweep(time.time() + 9, dry_run=True) == (1, 3)
        assert await store.sweep(time.time() + 9) == (1, 3)
        assert await store.get([_digest(b"shared")]) == {_digest(b"shared"): b"shared"}
        with pytest.raises(ContentMissing, match=r"another store than the one that wrote it"):
            await store.get([_digest(b"own")])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=30_000), encoding=st.sampled_from([b"json/plain", b"binary/plain", b"json/protobuf"]))
def test_any_payload_comes_back_as_it_was(tmp_path: Path, data: bytes, encoding: bytes) -> None:
    codec = ContentsCodec(store_at(str(tmp_path / "contents")), threshold=64).with_context(HERE)
    payload = Payload(metadata={"encoding": encoding, "own": b"\x00"}, data=data)
    assert asyncio.run(through(codec, payload)) == payload


class Encrypting(PayloadCodec):
    """As users write them: every payload whole, never twice the same."""

    def __init__(self) -> None:
        self._cipher = Fernet(Fernet.generate_key())

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(metadata={"encoding": b"binary/encrypted"}, data=self._cipher.encrypt(payload.SerializeToString()))
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(self._cipher.decrypt(payload.data)) for payload in payloads]


async def test_with_an_encrypting_codec_nothing_can_be_read_and_pieces_are_shared(tmp_path: Path) -> None:
    folder, key = tmp_path / "contents", Seal.new_key()
    codec = ContentsCodec(store_at(str(folder)), key=key, then=Encrypting()).with_context(HERE)
    first = await codec.encode([plain([TEXT])])
    size = _size(folder)
    second = await codec.encode([plain([TEXT, "more " * 100])])
    assert (await codec.decode(second))[0] == plain([TEXT, "more " * 100])
    assert _size(folder) - size < 1200, "the first text is there once"
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"All that" not in stored
    assert first[0].metadata["encoding"] == b"binary/encrypted"
    other = ContentsCodec(store_at(str(folder)), key=Seal.new_key(), then=codec._then).with_context(HERE)
    with pytest.raises(ContentsError, match="another key"):
        await other.decode(second)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_damage_is_found(tmp_path: Path) -> None:
    codec = ContentsCodec(store_at(str(tmp_path))).with_context(HERE)
    encoded = await codec.encode([plain(TEXT)])
    (path,) = [path for path in (tmp_path / "contents").rglob("*") if path.is_file()]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ContentDamaged, match=path.name):
        await ContentsCodec(store_at(str(tmp_path))).with_context(HERE).decode(encoded)
    path.unlink()
    with pytest.raises(ContentMissing, match=path.name) as missing:
        await ContentsCodec(store_at(str(tmp_path))).with_context(HERE).decode(encoded)
    assert missing.value.digest == path.name
    broken = Payload(metadata=encoded[0].metadata, data=encoded[0].data[:-1])
    with pytest.raises(ContentsError, match="ends within an item"):
        await codec.decode([broken])


async def test_what_a_process_left_half_written_goes(tmp_path: Path) -> None:
    store = ObjectStore(FolderObjects(tmp_path))
    await store.put({_digest(b"whole"): b"whole"}, [Owner("default", "one")])
    (tmp_path / "parts" / "abc.1.2").write_bytes(b"ha")
    assert await store.sweep(time.time() + 9) == (1, 2)
    assert list((tmp_path / "parts").iterdir()) == []
    assert await store.get([_digest(b"whole")]) == {_digest(b"whole"): b"whole"}


async def test_what_came_from_elsewhere_is_held_too(tmp_path: Path) -> None:
    """A schedule's arguments are stored under the id it starts workflows with; each workflow gets a longer one."""
    store = ObjectStore(FolderObjects(tmp_path))
    schedule = ContentsCodec(store).with_context(WorkflowSerializationContext("default", "nightly"))
    encoded = await schedule.encode([plain(TEXT)])
    started = ContentsCodec(store).with_context(WorkflowSerializationContext("default", "nightly-2026-11-23"))
    await started.decode(encoded)
    await store.release([Owner("default", "nightly")])
    assert (await store.sweep(time.time() + 9)).contents == 0
    assert await store.owners("default", time.time() + 9) == ["nightly-2026-11-23"]


@pytest.mark.parametrize("place", ["", "ftp://somewhere", "s3:///prefix"])
def test_places_that_are_none(place: str) -> None:
    with pytest.raises(ContentsError):
        store_at(place)
