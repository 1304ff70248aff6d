#!/usr/bin/env bash
# Checks and times the CUDA backend's kernels on this machine's GPU. kernels.sh BUILD OUT [PROBLEMS...]: BUILD holds lib/ and bin/.
set -uo pipefail
build=$1 out=$2
shift 2
export LD_LIBRARY_PATH=$build/lib:${LD_LIBRARY_PATH:-} BURNISH_CACHE=${BURNISH_CACHE:-/tmp/burnish-cache}
python_root=$(python3 -c 'import sys; print(sys.prefix)')
export VIRTUAL_ENV=${VIRTUAL_ENV:-$python_root}
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
for problems in "$@"; do
  timeout 240 "$build/bin/time_problems" "$problems" > "$out/$(basename "$problems").log" 2>&1
  echo "$problems: exit $?, $(tail -n 1 "$out/$(basename "$problems").log")"
done
