#!/usr/bin/env bash
# Build the release into build/, and make `import burnish` work in .venv. Prints little unless it fails;
# JOBS says how many compilers may run at once (default: one per processor).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=build/logs/build.log
mkdir -p build/logs
: > $log
echo "building (log: $log)"

run() {
  if [ -t 1 ]; then
    # Ninja's counter of steps on one line; everything in the log.
    "$@" 2>&1 | tee -a $log | awk '/^\[[0-9]+\/[0-9]+\]/ { printf "\r\033[K%.100s", $0; fflush() } END { printf "\r\033[K" }'
  else
    "$@" >> $log 2>&1
  fi
}

if ! run cmake --preset release -DBURNISH_PYTHON=ON -DPython_EXECUTABLE="$PWD/.venv/bin/python" ||
   ! run cmake --build build -j "${JOBS:-$(nproc)}"; then
  grep -E -A 12 'error|FAILED|CMake Error' $log | cut -c1-400 | head -n 60 >&2 || tail -n 30 $log >&2
  echo "build failed (whole log: $log)" >&2
  exit 1
fi

# .venv imports the package from where it was built.
echo "$PWD/build/python" > "$(echo .venv/lib/python3.*/site-packages)/burnish.pth"
