#!/usr/bin/env bash
# Runs the CUDA backend's kernel tests, each candidate once, under compute-sanitizer's tools, all shares side by side:
#   sanitize.sh BUILD OUT [TOOL...]     BUILD holds lib/ and bin/; logs go to OUT; memcheck, racecheck and initcheck by default
# BURNISH_TEST_TACTIC names the tactics to test, a regular expression. Prints a line for each tool; exits with 1 where one found something.
# A share that takes longer than LIMIT seconds (300 by default) is stopped and counted as not finished.
set -uo pipefail
build=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- memcheck racecheck initcheck
export LD_LIBRARY_PATH=$build/lib:${LD_LIBRARY_PATH:-} BURNISH_CACHE=${BURNISH_CACHE:-/tmp/burnish-cache}
failed=0
for tool in "$@"; do
  for share in $(seq 0 15); do
    timeout "${LIMIT:-300}" compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 "$build/bin/test_cuda" \
      --gtest_filter="*Gpu.EveryCandidateOnce*/$share" > "$out/$tool.$share.log" 2>&1 &
  done
  clean=0 found=0 unfinished=0
  for job in $(jobs -p); do
    wait "$job"
    case $? in
      0) clean=$((clean + 1)) ;;
      124 | 137) unfinished=$((unfinished + 1)) ;;
      *) found=$((found + 1)) ;;
    esac
  done
  echo "$tool: $clean of 16 shares clean, $found with findings, $unfinished not finished"
  [ "$found" = 0 ] || failed=1
done
exit "$failed"
