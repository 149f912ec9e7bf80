"""A model provider for tests that speaks OpenAI's and Anthropic's protocols over real HTTP. See `FakeProvider`."""

from outlive.testing.providers.asks import ToolUse
from outlive.testing.providers.records import Record, read_log
from outlive.testing.providers.script import Behaviour, Rule, rules_of
from outlive.testing.providers.server import FakeProvider
from outlive.testing.providers.windows import RateLimits

__all__ = ["Behaviour", "FakeProvider", "RateLimits", "Record", "Rule", "ToolUse", "read_log", "rules_of"]
