"""A provider, and the official clients that talk to it with their own retries off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from outlive.testing.providers import FakeProvider


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(batch_seconds=0.05) as running:
        yield running


@pytest.fixture
async def openai(provider: FakeProvider) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=provider.openai_url, api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture
async def anthropic(provider: FakeProvider) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=provider.anthropic_url, api_key="sk-test", max_retries=0) as client:
        yield client
