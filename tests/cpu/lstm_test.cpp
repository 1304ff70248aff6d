#include <gtest/gtest.h>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

const CheckOptions tolerance = {.relative = 1e-4, .absolute = 1e-5};

/// steps, batch, size, hidden, directions
void check_sizes(int64_t t, int64_t b, int64_t i, int64_t h, const std::string& direction) {
  const int64_t d = direction == "bidirectional" ? 2 : 1;
  check_tactic(
      "simd.lstm",
      fmt::format("graph problem(%x0: f32[{0},{1},{2}], %w1: f32[{4},{5},{2}], %w2: f32[{4},{5},{3}],"
                  " %w3: f32[{4},{6}], %x4: f32[{4},{1},{3}], %x5: f32[{4},{1},{3}]) {{ %v0, %v1, %v2 ="
                  " lstm(%x0, %w1, %w2, %w3, _, %x4, %x5) {{direction=\"{7}\"}} : f32[{0},{4},{1},{3}],"
                  " f32[{4},{1},{3}], f32[{4},{1},{3}] yield %v0, %v1, %v2 }}",
                  t, b, i, h, d, 4 * h, 8 * h, direction),
      tolerance);
}

TEST(Lstm, RunsAllSizesAndDirections) {
  for_each_target([] {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      check_sizes(1, 1, 128, 128, direction);
      check_sizes(5, 3, 7, 13, direction);
      check_sizes(9, 14, 200, 33, direction);
    }
  });
}

TEST(Lstm, StartsFromZeroWithoutStatesAndBias) {
  check_tactic("simd.lstm",
               "graph problem(%x0: f32[4,2,6], %w1: f32[1,20,6], %w2: f32[1,20,5]) { %v0, %v1 ="
               " lstm(%x0, %w1, %w2) : f32[4,1,2,5], f32[1,2,5] yield %v0, %v1 }",
               tolerance);
}

}  // namespace
}  // namespace burnish::test
