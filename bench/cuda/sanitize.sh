#!/usr/bin/env bash
# Runs the CUDA backend's kernel tests under compute-sanitizer's tools, all shares side by side: each candidate once, or under
# racecheck, which is slower by far, one for each way of working (a split, clusters, blocks that stay, ...) of each tactic.
#   sanitize.sh BUILD OUT [TOOL...]     BUILD holds lib/ and bin/; logs go to OUT; memcheck, racecheck and initcheck by default
# BURNISH_TEST_TACTIC names the tactics to test, a regular expression. Prints a line for each tool; exits with 1 where not all are clean.
# A share that takes longer than LIMIT seconds (300 by default) is stopped and counted as not finished; one that found no GPU, as a finding.
set -uo pipefail
build=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- memcheck racecheck initcheck
export LD_LIBRARY_PATH=$build/lib:${LD_LIBRARY_PATH:-} BURNISH_CACHE=${BURNISH_CACHE:-/tmp/burnish-cache}
failed=0
for tool in "$@"; do
  shares=() cases=Candidate
  [ "$tool" != racecheck ] || cases=WayOfWorking
  for share in $(seq 0 15); do
    timeout "${LIMIT:-300}" compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 "$build/bin/test_cuda" \
      --gtest_filter="*Gpu.OneOfEach$cases*/$share" > "$out/$tool.$share.log" 2>&1 &
    shares+=($!)
  done
  clean=0 found=0 unfinished=0
  for share in "${!shares[@]}"; do
    wait "${shares[$share]}"
    code=$?
    if [ $code = 124 ] || [ $code = 137 ]; then
      unfinished=$((unfinished + 1))
    elif [ $code = 0 ] && grep -q '^\[       OK \]' "$out/$tool.$share.log"; then
      clean=$((clean + 1))
    else
      found=$((found + 1))
    fi
  done
  echo "$tool: $clean of 16 shares clean, $found with findings, $unfinished not finished"
  [ "$clean" = 16 ] || failed=1
done
exit "$failed"
