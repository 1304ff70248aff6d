#include <gtest/gtest.h>

#include <cmath>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

void check(const char* tactic, const std::string& op, const std::string& attributes, const std::string& x,
           const std::string& y, const CheckOptions& options = {}) {
  check_tactic(tactic,
               fmt::format("graph problem(%x0: f32[{}]) {{ %v0 = {}(%x0){} : {}[{}] yield %v0 }}", x, op,
                           attributes, op.starts_with("arg") ? "i64" : "f32", y),
               options);
}

TEST(Rows, SoftmaxAlongAnyAxis) {
  for_each_target([] {
    for (const char* op : {"softmax", "log_softmax"}) {
      check("simd.softmax", op, "", "3,5,197", "3,5,197", {.range = 20});
      check("simd.softmax", op, " {axis=1}", "2,21,7,19", "2,21,7,19", {.range = 20});
      check("simd.softmax", op, " {axis=0}", "6,300", "6,300");
      check("simd.softmax", op, "", "4,1", "4,1");
      check("simd.softmax", op, "", "1,1000", "1,1000", {.range = 90});
    }
  });
  const float low = -INFINITY;
  CheckOptions masked;
  masked.inputs = {Tensor::of<float>({2, 3}, {0.5f, low, 1, low, low, low})};
  check("simd.softmax", "softmax", "", "2,3", "2,3", masked);
}

TEST(Rows, Norms) {
  for_each_target([] {
    check_tactic("simd.norm",
                 "graph problem(%x0: f32[2,9,768], %w1: f32[768], %w2: f32[768]) { %v0 = layer_norm(%x0, "
                 "%w1, %w2) {epsilon=1e-12} : f32[2,9,768] yield %v0 }");
    check_tactic("simd.norm",
                 "graph problem(%x0: f32[5,3,7], %x1: f32[3,7]) { %v0, %v1, %v2 = layer_norm(%x0, %x1) "
                 "{axis=1} : f32[5,3,7], f32[5,1,1], f32[5,1,1] yield %v0, %v1, %v2 }");
    check_tactic(
        "simd.norm",
        "graph problem(%x0: f32[11,65], %w1: f32[65]) { %v0 = rms_norm(%x0, %w1) : f32[11,65] yield %v0 }");
    check_tactic("simd.norm",
                 "graph problem(%x0: f32[2,5,7,3], %w1: f32[5], %w2: f32[5]) { %v0 = instance_norm(%x0, %w1, "
                 "%w2) : f32[2,5,7,3] yield %v0 }");
    check_tactic("simd.norm",
                 "graph problem(%x0: f32[2,12,5,9], %w1: f32[12], %w2: f32[12]) { %v0 = group_norm(%x0, %w1, "
                 "%w2) {num_groups=4} : f32[2,12,5,9] yield %v0 }");
  });
}

TEST(Rows, ReductionsOverAnyAxes) {
  for_each_target([] {
    for (const char* op : {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_l1", "reduce_l2",
                           "reduce_sum_square", "reduce_prod"}) {
      check("simd.reduce", op, " {axes=[2,3]}", "2,32,7,5", "2,32,1,1", {.range = 1.1});
      check("simd.reduce", op, " {axes=[2,3], keepdims=false}", "2,16,9,11", "2,16", {.range = 1.1});
      check("simd.reduce", op, " {axes=[1]}", "3,40,5,7", "3,1,5,7", {.range = 1.1});
      check("simd.reduce", op, " {axes=[0,2], keepdims=false}", "3,4,5,150", "4,150", {.range = 1.1});
      check("simd.reduce", op, " {axes=[-1]}", "3,133", "3,1", {.range = 1.1});
      check("simd.reduce", op, "", "3,4,5", "1,1,1", {.range = 1.1});
    }
    std::mt19937 random(3);
    CheckOptions positive;
    positive.inputs = {random_tensor(random, DType::f32, {3, 50})};
    for (int64_t i = 0; i < 150; ++i)
      positive.inputs[0].data<float>()[i] = std::fabs(positive.inputs[0].data<float>()[i]) + 0.1f;
    check("simd.reduce", "reduce_log_sum", " {axes=[0]}", "3,50", "1,50", positive);
    // A long mean of positive numbers
    CheckOptions bright;
    bright.inputs = {random_tensor(random, DType::f32, {1, 16, 150, 150}, 1)};
    for (int64_t i = 0; i < bright.inputs[0].size(); ++i) bright.inputs[0].data<float>()[i] += 1;
    check("simd.reduce", "reduce_mean", " {axes=[2,3]}", "1,16,150,150", "1,16,1,1", bright);
  });
}

TEST(Rows, FindTheLargest) {
  for_each_target([] {
    for (const char* op : {"arg_max", "arg_min"}) {
      check("simd.arg", op, " {axis=-1}", "5,1001", "5,1");
      CheckOptions ties;
      ties.inputs = {Tensor::of<float>({3, 5}, {1, 3, 3, -2, -2, 1, NAN, 5, NAN, 0, -1, -1, -1, -1, -1})};
      check("simd.arg", op, " {axis=1}", "3,5", "3,1", ties);
      check("simd.arg", op, " {axis=1, select_last_index=true, keepdims=false}", "3,5", "3", ties);
    }
  });
}

}  // namespace
}  // namespace burnish::test
