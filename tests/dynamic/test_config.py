"""Which value of the dynamic configuration counts where, and files of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from outlive.dynamic import files, keys, kinds
from outlive.dynamic.config import DynamicConfig, Value, Where
from outlive.dynamic.files import Watch, read_file
from outlive.dynamic.limits import deployment_limits, execution_limits
from outlive.errors import StartupError
from outlive.limits import MINUTE, SECOND, DeploymentLimits, ExecutionLimits

BLOB = keys.EXECUTION["payload_size_max"]


def test_without_values_everything_is_the_default() -> None:
    config = DynamicConfig()
    assert execution_limits(config, "any") == ExecutionLimits()
    assert deployment_limits(config) == DeploymentLimits()
    assert all(setting.source == "default" and setting.value == setting.key.default for setting in config.settings())


def test_every_key_shows_its_default_in_a_form_that_it_reads() -> None:
    for key in keys.KEYS.values():
        assert key.kind.read(key.kind.show(key.default)) == key.default, key.name
        assert key.meaning, key.name


def test_keys_do_not_mind_case_and_unknown_ones_are_passed_over() -> None:
    config = DynamicConfig({"LIMIT.blobsize.ERROR": 5, "no.such.key": {"a": [1]}})
    assert config.get(BLOB) == 5


def test_the_narrowest_constraints_that_hold_count() -> None:
    given = [
        Value(1),
        Value(2, Where(namespace="a")),
        Value(3, Where(task_queue="q")),
        Value(4, Where(namespace="a", task_queue="q")),
        Value(5, Where(namespace="a", task_queue="q", task_type="Activity")),
        Value(6, Where(namespace="a")),  # the first of equals counts
    ]
    config = DynamicConfig(None, {"limit.blobSize.error": given})
    assert config.get(BLOB) == 1
    assert config.get(BLOB, "b") == 1
    assert config.get(BLOB, "a") == 2
    assert config.get(BLOB, "b", "q") == 3
    assert config.get(BLOB, "a", "q") == 4
    assert config.get(BLOB, "a", "q", "Activity") == 5
    assert config.get(BLOB, "a", "q", "Workflow") == 4
    assert execution_limits(config, "a").payload_size_max == 2


def test_a_flag_goes_before_the_file() -> None:
    config = DynamicConfig({"limit.blobSize.error": 9}, {"limit.blobSize.error": [Value(2, Where(namespace="a"))]})
    assert config.get(BLOB, "a") == 9
    assert [s.value for s in config.settings() if s.key is BLOB] == [9]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("limit.blobSize.error", -1, "takes a whole number from 0, not -1"),
        ("limit.blobSize.error", True, "takes a whole number"),
        ("limit.blobSize.error", "2MB", "takes a whole number"),
        ("frontend.WorkflowPauseEnabled", 1, "takes true or false"),
        ("matching.wv.VersionDrainageStatusRefreshInterval", "soon", "takes a duration such as 3m or 10s"),
        ("matching.wv.VersionDrainageStatusRefreshInterval", -1, "takes a duration"),
        ("matching.wv.VersionDrainageStatusRefreshInterval", float("nan"), "takes a duration"),
        ("frontend.httpAllowedHosts", "localhost", "takes a list of names"),
    ],
)
def test_a_bad_value_is_refused_when_it_is_set(key: str, value: object, words: str) -> None:
    with pytest.raises(StartupError, match=words):
        DynamicConfig({key: value})


def test_values_as_people_write_them() -> None:
    span = keys.DEPLOYMENTS["drainage_refresh"]
    name = span.name
    for given, expected in (("90s", 90 * SECOND), (3, 3 * SECOND), ("3m", 3 * MINUTE), (0.5, SECOND // 2), (0, 0)):
        assert DynamicConfig({name: given}).get(span) == expected
    assert DynamicConfig({"limit.blobSize.error": 3.0}).get(BLOB) == 3
    assert DynamicConfig({"frontend.WorkflowPauseEnabled": "False"}).get(keys.PAUSE) is False


def test_rules_about_addresses() -> None:
    rules = kinds.RULES.read([{"Pattern": "*.example.com:80*", "AllowInsecure": True}, {"pattern": "x"}])
    assert rules[0].allows("http", "a.example.com:8080")
    assert not rules[0].allows("http", "example.com:8080")
    assert rules[1].allows("https", "x")
    assert not rules[1].allows("http", "x")
    assert kinds.RULES.show(rules) == [
        {"Pattern": "*.example.com:80*", "AllowInsecure": True},
        {"Pattern": "x", "AllowInsecure": False},
    ]
    for bad in ("x", ["x"], [{"AllowInsecure": True}], [{"Pattern": "x", "More": 1}], [{"Pattern": 1}]):
        with pytest.raises(ValueError, match="list of rules"):
            kinds.RULES.read(bad)


def test_a_file_in_temporals_format(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "limit.blobSize.error:\n"
        "  - value: 10\n"
        "    constraints: {namespace: small}\n"
        "  - value: 20\n"
        "    constraints: {}\n"
        "frontend.WorkflowPauseEnabled:\n"
        "  - value: false\n"
        "    constraints: {namespace: small, taskQueueName: q, taskQueueType: Activity}\n"
        "no.such.key:\n"
        "  - value: [1, {a: b}]\n"
    )
    config = DynamicConfig(None, read_file(path))
    assert config.get(BLOB, "small") == 10
    assert config.get(BLOB, "other") == 20
    assert config.get(keys.PAUSE, "small") is True
    assert config.get(keys.PAUSE, "small", "q", "Activity") is False
    listed = [(s.value, str(s.where), s.source) for s in config.settings() if s.key is BLOB]
    assert listed == [(20, "", str(path)), (10, "namespace small", str(path))]
    path.write_text("")
    assert read_file(path) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("- a", "not a mapping of keys"),
        ("limit.blobSize.error: 5", "expected a list of values"),
        ("limit.blobSize.error: [5]", "expected `value`"),
        ("limit.blobSize.error: [{value: 5, constraint: {}}]", "expected `value`"),
        ("limit.blobSize.error: [{value: 5, constraints: {shardID: 1}}]", "constraint shardID is not known here"),
        ("limit.blobSize.error: [{value: 5, constraints: [a]}]", "constraints are a mapping"),
        ("limit.blobSize.error: [{value: -5}]", "takes a whole number"),
        ("a: !!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(StartupError, match=words):
        DynamicConfig(None, read_file(path))
    with pytest.raises(StartupError, match="cannot be read"):
        read_file(tmp_path / "nowhere.yaml")


async def test_a_file_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CONFIG_FILE_POLL", SECOND // 100)
    path = tmp_path / "config.yaml"
    path.write_text("limit.blobSize.error: [{value: 1}]\n")
    config = DynamicConfig(None, read_file(path))
    told = asyncio.Event()
    config.follow(told.set)
    watch = Watch(path, config)
    watch.begin()
    try:
        assert config.get(BLOB) == 1
        path.write_text("limit.blobSize.error: [{value: 22}]\n")
        await asyncio.wait_for(told.wait(), 5)
        assert config.get(BLOB) == 22
        told.clear()
        other = tmp_path / "other.yaml"  # as editors write: a new file in its place
        other.write_text("limit.blobSize.error: [{value: 333}]\n")
        os.replace(other, path)
        await asyncio.wait_for(told.wait(), 5)
        assert config.get(BLOB) == 333
    finally:
        watch.stop()


def test_a_file_that_became_bad_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("limit.blobSize.error: [{value: 1}]\n")
    config = DynamicConfig(None, read_file(path))
    watch = Watch(path, config)
    path.write_text("limit.blobSize.error: [{value: no}]\n")
    watch.reload()
    assert config.get(BLOB) == 1
    assert "stays as it was" in caplog.text
    path.unlink()
    watch.reload()
    assert config.get(BLOB) == 1
