#!/usr/bin/env bash
# Fills the table that torch2trt is known for: ./test.sh TEST_OUTPUT.md; --help says more. Run again, it installs and
# builds only what is missing, and goes on where it was stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

scripts/setup.sh --peers $([ ! -e /dev/nvidiactl ] || echo --cuda)
scripts/build.sh
exec .venv/bin/python bench/torch_table/table.py "$@"
