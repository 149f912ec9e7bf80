"""Scripts, the command, and the addresses that tests in another process use."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from outlive.testing.providers import read_log, rules_of


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({}, "a JSON list"),
        ([1], "rule 1 must be"),
        ([{"modell": "x"}], "rule 1 has modell"),
        ([{"prompt": "("}], "no regular expression"),
        ([{"behaviour": {"problem": "fire"}}], "problem is one of"),
        ([{"behaviour": {"calls": [{"nome": 1}]}}], "calls is a list"),
    ],
)
def test_a_wrong_script_is_told(script: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rules_of(script)


def test_the_command_serves_its_script_and_keeps_a_log(tmp_path: Path) -> None:
    script, log = tmp_path / "script.json", tmp_path / "log.jsonl"
    script.write_text(json.dumps([{"model": "gpt-*", "times": 1, "behaviour": {"text": "Once."}}]))
    command = [
        sys.executable,
        "-m",
        "outlive",
        "fake-provider",
        "--port",
        "0",
        "--script",
        str(script),
        "--log",
        str(log),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip().removeprefix("OPENAI_BASE_URL=").removesuffix("/v1")
        body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer k"}) as client:
            said = [client.post("/v1/chat/completions", json=body).json() for _ in range(2)]
            rule = {"rules": [{"behaviour": {"text": "Told."}}]}
            assert client.post("/control/rules", json=rule).json() == {"rules": 2}
            said.append(client.post("/v1/chat/completions", json=body).json())
            assert client.post("/control/rules", json={"rules": [{"x": 1}]}).status_code == 400
            assert len(client.get("/control/log?since=1").json()["records"]) == 2
            assert client.post("/v1/chat/completions", json=body, headers={"Authorization": ""}).status_code == 401
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
    texts = [answer["choices"][0]["message"]["content"] for answer in said]
    assert texts[0] == "Once."
    assert texts[1] != "Once."
    assert texts[2] == "Told."
    assert [record.status for record in read_log(log)] == [200, 200, 200, 401]
