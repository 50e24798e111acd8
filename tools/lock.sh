#!/usr/bin/env bash
# Resolves requirements/*.in into locks with hashes and without index addresses.
set -euo pipefail
cd "$(dirname "$0")/../requirements"

compile() {
    ../.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links "$@"
}

compile bootstrap.in -o bootstrap.txt
compile go.in -o go.txt
compile mta.in -o mta.txt
# What runs on the hosts is tested with the same versions on the controller.
compile -c mta.txt controller.in -o controller.txt
