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
    // T5's: looked up by positions, heads last
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[2,4,9,8], %x1: f32[2,4,7,8], %x2: f32[2,4,7,8], %x3: f32[9,7,4]) {"
                 " %m = transpose(%x3) {perm=[2,0,1]} : f32[4,9,7]"
                 " %v0 = attention(%x0, %x1, %x2, %m) : f32[2,4,9,8] yield %v0 }");
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

TEST(Attention, ReadsQueriesKeysAndValuesInPlace) {
  for_each_target([] {
    // BERT's: one product for all three, side by side, and the result as the projection wants it. The mask is
    // the model's own input.
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[2,9,60], %x1: i64[2,1,1,9]) { constant @c0: i64[3] = {20, 20, 20} "
                 "constant @c1: i64[4] = {0, 0, 4, 5} constant @c2: i64[4] = {0, 0, 4, 5} constant @c3: "
                 "i64[4] = {0, 0, 4, 5} %a, %b, %c = split(%x0, @c0) {axis=2} : f32[2,9,20], f32[2,9,20], "
                 "f32[2,9,20] %d = reshape(%a, @c1) : f32[2,9,4,5] %e = reshape(%b, @c2) : f32[2,9,4,5] %f "
                 "= reshape(%c, @c3) : f32[2,9,4,5] %q = transpose(%d) {perm=[0,2,1,3]} : f32[2,4,9,5] %k "
                 "= transpose(%e) {perm=[0,2,1,3]} : f32[2,4,9,5] %v = transpose(%f) {perm=[0,2,1,3]} : "
                 "f32[2,4,9,5] %y = attention(%q, %k, %v, %x1) {scale=0.4} : f32[2,4,9,5] %z = "
                 "transpose(%y) {perm=[0,2,1,3]} : f32[2,9,4,5] yield %z }");
    // torchvision's ViT: [length, batch, 3 * size], taken apart by gathers
    check_tactic("simd.attention",
                 "graph problem(%x0: f32[1,7,2,3,12]) { constant @c0: i64[4] = {3, 7, 2, 12} constant @c1: "
                 "i64[] = {0} constant @c2: i64[] = {1} constant @c3: i64[] = {-1} constant @c4: i64[3] = "
                 "{7, 6, 4} constant @c5: i64[3] = {7, 6, 4} constant @c6: i64[3] = {7, 6, 4} constant "
                 "@c7: i64[4] = {2, 3, 7, 4} constant @c8: i64[4] = {2, 3, 7, 4} constant @c9: i64[4] = "
                 "{2, 3, 7, 4} %t = transpose(%x0) {perm=[3,1,2,0,4]} : f32[3,7,2,1,12] %s = reshape(%t, "
                 "@c0) : f32[3,7,2,12] %a = gather(%s, @c1) : f32[7,2,12] %b = gather(%s, @c2) : "
                 "f32[7,2,12] %c = gather(%s, @c3) : f32[7,2,12] %d = reshape(%a, @c4) : f32[7,6,4] %e = "
                 "reshape(%b, @c5) : f32[7,6,4] %f = reshape(%c, @c6) : f32[7,6,4] %g = transpose(%d) "
                 "{perm=[1,0,2]} : f32[6,7,4] %h = transpose(%e) {perm=[1,0,2]} : f32[6,7,4] %i = "
                 "transpose(%f) {perm=[1,0,2]} : f32[6,7,4] %q = reshape(%g, @c7) : f32[2,3,7,4] %k = "
                 "reshape(%h, @c8) : f32[2,3,7,4] %v = reshape(%i, @c9) : f32[2,3,7,4] %y = attention(%q, "
                 "%k, %v) : f32[2,3,7,4] %z = transpose(%y) {perm=[2,0,1,3]} : f32[7,2,3,4] yield %z }");
  });
}

}  // namespace
}  // namespace burnish::test
