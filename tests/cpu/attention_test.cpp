#include <gtest/gtest.h>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

TEST(Attention, TakesEveryKindOfMask) {
  for_each_target([] {
    // Twelve heads; a mask per image, as BERT's
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[2,12,33,64], %x1: f32[2,12,33,64], %x2: f32[2,12,33,64], %x3: "
                 "f32[2,1,1,33]) {"
                 " %v0 = attention(%x0, %x1, %x2, %x3) {scale=0.125} : f32[2,12,33,64] yield %v0 }");
    // One head, more queries than a block, odd sizes, no mask
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[1,1,131,17], %x1: f32[1,1,45,17], %x2: f32[1,1,45,29]) {"
                 " %v0 = attention(%x0, %x1, %x2) {scale=0.3} : f32[1,1,131,29] yield %v0 }");
    // A boolean mask per query, heads of keys shared by several of queries
    check_tactic(
        "simd.attention",
        "graph problem(%x0: f32[1,6,9,16], %x1: f32[1,2,13,16], %x2: f32[1,2,13,16], %x3: bool[9,13]) {"
        " %v0 = attention(%x0, %x1, %x2, %x3) {scale=0.25} : f32[1,6,9,16] yield %v0 }");
    // A mask per head, and one that is the same for every key
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[2,3,8,8], %x1: f32[2,3,8,8], %x2: f32[2,3,8,8], %x3: f32[3,8,8]) {"
                 " %v0 = attention(%x0, %x1, %x2, %x3) : f32[2,3,8,8] yield %v0 }");
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[2,3,8,8], %x1: f32[2,3,8,8], %x2: f32[2,3,8,8], %x3: f32[8,1]) {"
                 " %v0 = attention(%x0, %x1, %x2, %x3) : f32[2,3,8,8] yield %v0 }");
  });
}

TEST(Attention, HidesLaterKeys) {
  for (const char* causal : {"top_left", "bottom_right"})
    for (const int64_t keys : {7, 60, 95})
      check_tactic(
          "simd.attention",
          fmt::format("graph problem(%x0: f32[1,2,60,8], %x1: f32[1,2,{0},8], %x2: f32[1,2,{0},8]) {{"
                      " %v0 = attention(%x0, %x1, %x2) {{causal=\"{1}\"}} : f32[1,2,60,8] yield %v0 }}",
                      keys, causal));
}

TEST(Attention, GivesZerosWhereAllKeysAreHidden) {
  CheckOptions options;
  options.inputs = {{}, {}, {}, Tensor::of<bool>({2, 3}, {false, false, false, true, false, true})};
  check_tactic("simd.attention",
               "graph problem(%x0: f32[1,1,2,4], %x1: f32[1,1,3,4], %x2: f32[1,1,3,4], %x3: bool[2,3]) {"
               " %v0 = attention(%x0, %x1, %x2, %x3) : f32[1,1,2,4] yield %v0 }",
               options);
}

}  // namespace
}  // namespace burnish::test
