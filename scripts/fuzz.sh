#!/usr/bin/env bash
# Build the fuzz targets (clang, ASan and UBSan) and run each for some seconds of processor time, from the committed corpora
# and ONNX's own test models. New inputs are kept in build-fuzz/corpus; what a run finds lies in build-fuzz/findings.
#
#   scripts/fuzz.sh SECONDS [TARGET...]     targets: import ir_text engine_file tuning_cache
#   scripts/fuzz.sh --coverage [TARGET...]  lines covered by the committed corpora and the test models, by file
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -ge 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(import ir_text engine_file tuning_cache)

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz -j "${JOBS:-$(nproc)}" > build-fuzz/build.log || { tail -n 30 build-fuzz/build.log >&2; exit 1; }
mkdir -p build-fuzz/{corpus,findings,profiles}

# Small models make fast runs.
seeds() {
  echo fuzz/corpus/"$1"
  [ "$1" = import ] || return 0
  mkdir -p build-fuzz/seeds
  find /usr/share/libonnx-testdata/data build/onnx-cases/ -name model.onnx -size -4k 2> /dev/null | while read -r model; do
    cp -n "$model" "build-fuzz/seeds/$(basename "$(dirname "$model")").onnx"
  done
  echo build-fuzz/seeds
}

# Files that a target writes lie in memory where they can.
[ -w /dev/shm ] && export TMPDIR=/dev/shm

# run TARGET PROFILE ARGUMENT...: become the fuzzer, its output in the target's log. Its timeout is of the wall clock, and
# the machine may be busy; inputs that take 10 s are kept as slow-unit in any case.
run() {
  local target=$1 length=4000
  [ "$target" = engine_file ] && length=40000
  export LLVM_PROFILE_FILE=$2
  exec build-fuzz/bin/fuzz_"$target" -max_len=$length -timeout=3600 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/findings/$target-" "${@:3}" > "build-fuzz/$target.log" 2>&1
}

if [ "$seconds" = --coverage ]; then
  # What each target reads: the files whose lines are counted.
  declare -A sources=(
    [import]="src/onnx"
    [ir_text]="src/ir"
    [engine_file]="src/engine src/runtime/engine_file.cpp src/plan/program.cpp src/plan/retarget.cpp"
    [tuning_cache]="src/tune/cache.cpp"
  )
  for target in "${targets[@]}"; do
    profile=build-fuzz/profiles/$target
    # shellcheck disable=SC2046
    (run "$target" "$profile.profraw" -runs=0 $(seeds "$target"))
    llvm-profdata-16 merge -o "$profile.profdata" "$profile.profraw"
    echo "== $target: lines, missed, covered"
    # shellcheck disable=SC2086
    llvm-cov-16 report build-fuzz/bin/fuzz_"$target" -instr-profile="$profile.profdata" ${sources[$target]} |
      awk 'NR > 2 && NF > 9 {print $1, $8, $9, $10}' | column -t
  done
  exit
fi

# The processor time that a process has taken, in seconds.
processor_seconds() {
  local fields
  read -ra fields < "/proc/$1/stat"
  echo $(((fields[13] + fields[14]) / $(getconf CLK_TCK)))
}

# fuzz TARGET: run it until it has taken its seconds, which `taken` tells; at SIGUSR1 libFuzzer ends by itself.
fuzz() {
  # shellcheck disable=SC2046
  run "$1" /dev/null "build-fuzz/corpus/$1" $(seeds "$1") &
  local process=$! now
  taken=0
  while now=$(processor_seconds $process 2> /dev/null) && taken=$now && [ "$now" -lt "$seconds" ]; do sleep 1; done
  kill -USR1 $process 2> /dev/null || true
  wait $process
}

trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
passed=0 failed=0
for target in "${targets[@]}"; do
  mkdir -p "build-fuzz/corpus/$target"
  if fuzz "$target"; then
    passed=$((passed + 1))
    echo "$target: $taken s, $(awk '/number_of_executed_units/ {print $2}' "build-fuzz/$target.log") inputs"
  else
    failed=$((failed + 1))
    echo "FAIL $target (build-fuzz/$target.log)"
    grep -E 'ERROR|runtime error|SUMMARY|^ *what\(\)' "build-fuzz/$target.log" | head -n 5
  fi
done
echo "$passed passed, $failed failed"
exit $((failed > 0))
