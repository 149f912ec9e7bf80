#!/bin/sh
# Makes .venv with everything that the project's own commands need: by uv where it is, else by venv and pip.
# Compiled at once: a server that compiles what it imports takes thrice as long to be ready.
set -eu
python="${PYTHON:-python3}"
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
    uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements.lock
    uv pip install --quiet --python .venv/bin/python --no-deps -e .
else
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
.venv/bin/python -m compileall -q src
touch .venv/.outlive-setup
