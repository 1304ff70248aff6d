#include <gtest/gtest.h>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

TEST(Window, Depthwise) {
  for_each_target([] {
    for (const int64_t channels : {32, 48, 5}) {
      for (const auto& [kernel, stride, pad, height, width] : {std::array<int64_t, 5>{3, 1, 1, 9, 23},
                                                               {3, 2, 1, 15, 17},
                                                               {5, 1, 2, 8, 31},
                                                               {5, 2, 2, 13, 19},
                                                               {7, 1, 3, 7, 20},
                                                               {4, 3, 0, 11, 14},
                                                               {7, 2, 3, 4, 3}}) {
        const int64_t out_h = (height + 2 * pad - kernel) / stride + 1,
                      out_w = (width + 2 * pad - kernel) / stride + 1;
        const std::string y = fmt::format("f32[2,{},{},{}]", channels, out_h, out_w);
        check_tactic(
            "simd.window",
            fmt::format(
                "graph problem(%x0: f32[2,{0},{1},{2}], %w1: f32[{0},1,{3},{3}], %w2: f32[{0}], %x3: {6}) {{"
                " %v0 = conv(%x0, %w1, %w2) {{strides=[{4},{4}], pads=[{5},{5},{5},{5}], group={0}}} : {6} "
                "%v1 = silu(%v0) : {6} %v2 = add(%v1, %x3) : {6} yield %v2 }}",
                channels, height, width, kernel, stride, pad, y),
            {.relative = 5e-5, .absolute = 5e-5});
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  });
  check_tactic("simd.window",
               "graph problem(%x0: f32[1,16,9,11], %w1: f32[16,1,3,3]) { %v0 = conv(%x0, %w1) "
               "{dilations=[2,2], pads=[2,2,2,2], group=16} : f32[1,16,9,11] yield %v0 }");
  check_tactic("simd.window",
               "graph problem(%x0: f32[2,20,33], %w1: f32[20,1,5]) { %v0 = conv(%x0, %w1) {pads=[2,2], "
               "group=20} : f32[2,20,33] yield %v0 }");
}

TEST(Window, Pooling) {
  for_each_target([] {
    check_tactic("simd.window",
                 "graph problem(%x0: f32[2,48,13,17]) { %v0 = max_pool(%x0) {kernel_shape=[3,3], "
                 "strides=[2,2], pads=[1,1,1,1]} : f32[2,48,7,9] yield %v0 }");
    check_tactic(
        "simd.window",
        "graph problem(%x0: f32[2,10,13,17]) { %v0 = max_pool(%x0) {kernel_shape=[2,3], strides=[2,2], "
        "dilations=[2,1], ceil_mode=true} : f32[2,10,6,8] %v1 = relu(%v0) : f32[2,10,6,8] yield %v1 }");
    check_tactic("simd.window",
                 "graph problem(%x0: f32[2,16,13,17]) { %v0 = average_pool(%x0) {kernel_shape=[3,3], "
                 "strides=[2,2], pads=[1,1,1,1]} : f32[2,16,7,9] yield %v0 }");
    check_tactic(
        "simd.window",
        "graph problem(%x0: f32[1,7,12,16]) { %v0 = average_pool(%x0) {kernel_shape=[3,3], strides=[2,2], "
        "pads=[1,1,0,0], ceil_mode=true, count_include_pad=true} : f32[1,7,6,8] yield %v0 }");
    check_tactic("simd.window",
                 "graph problem(%x0: f32[1,7,32]) { %v0 = average_pool(%x0) {kernel_shape=[3], strides=[3]} "
                 ": f32[1,7,10] yield %v0 }");
  });
}

}  // namespace
}  // namespace burnish::test
