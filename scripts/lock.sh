#!/bin/sh
# Writes requirements.lock: exact versions with hashes of everything, for every platform, and no host names.
set -eu
uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
    --python-version 3.11 --extra pipeline --group dev pyproject.toml -o requirements.lock
