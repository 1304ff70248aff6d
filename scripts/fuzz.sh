#!/usr/bin/env bash
# Build the fuzz targets (clang, ASan and UBSan) and run each for some seconds, from the committed corpora and
# ONNX's own test models. New inputs are kept in build-fuzz/corpus; what a run finds lies in build-fuzz/findings.
#
#   scripts/fuzz.sh SECONDS [TARGET...]     targets: import ir_text engine_file tuning_cache
#   scripts/fuzz.sh --coverage              lines covered by what the corpora hold, by file
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

run() {
  local target=$1 time=$2 length=4000
  [ "$target" = engine_file ] && length=40000
  mkdir -p "build-fuzz/corpus/$target"
  # shellcheck disable=SC2046
  LLVM_PROFILE_FILE=build-fuzz/profiles/$target.profraw build-fuzz/bin/fuzz_"$target" -max_total_time="$time" -max_len=$length -timeout=10 \
    -rss_limit_mb=2048 -malloc_limit_mb=1024 -artifact_prefix="build-fuzz/findings/$target-" "${extra[@]}" "build-fuzz/corpus/$target" $(seeds "$target") \
    > "build-fuzz/$target.log" 2>&1
}

if [ "$seconds" = --coverage ]; then
  extra=(-runs=0)
  declare -A sources=([import]="src/onnx" [ir_text]="src/ir" [engine_file]="src/engine src/runtime/engine_file.cpp" [tuning_cache]="src/tune/cache.cpp")
  for target in "${targets[@]}"; do
    run "$target" 0
    llvm-profdata-16 merge -o build-fuzz/profiles/"$target".profdata build-fuzz/profiles/"$target".profraw
    echo "== $target"
    # shellcheck disable=SC2086
    llvm-cov-16 report build-fuzz/bin/fuzz_"$target" -instr-profile=build-fuzz/profiles/"$target".profdata ${sources[$target]} | awk 'NR > 2 && NF > 9 {print $1, $10}'
  done
  exit
fi

extra=()
passed=0 failed=0
for target in "${targets[@]}"; do
  if run "$target" "$seconds"; then
    passed=$((passed + 1))
    tail -n 1 "build-fuzz/$target.log" | sed "s/^/$target: /"
  else
    failed=$((failed + 1))
    echo "FAIL $target (build-fuzz/$target.log)"
    grep -E 'ERROR|runtime error|SUMMARY|what\(\)' "build-fuzz/$target.log" | head -n 5
  fi
done
echo "$passed passed, $failed failed"
exit $((failed > 0))
