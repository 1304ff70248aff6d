#include <gtest/gtest.h>

#include "ops/index.h"
#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

TEST(Product, MultipliesWithPackedWeights) {
  for_each_target([] {
    // Sizes around panels, groups of rows and blocks of depth
    for (const int64_t rows : {1, 7, 27, 130})
      for (const int64_t columns : {5, 33, 96})
        for (const int64_t depth : {1, 191, 200})
          check_tactic("simd.matmul",
                       fmt::format("graph problem(%x0: f32[{0},{2}], %w1: f32[{2},{1}]) {{"
                                   " %v0 = matmul(%x0, %w1) : f32[{0},{1}] yield %v0 }}",
                                   rows, columns, depth),
                       {.relative = 1e-4, .absolute = 1e-3});
    check_tactic("simd.matmul",
                 "graph problem(%x0: f32[2,300,65], %w1: f32[70,65]) {"
                 " %v0 = matmul(%x0, %w1) {transpose_b=true} : f32[2,300,70] yield %v0 }",
                 {.relative = 1e-4, .absolute = 1e-3});
  });
}

TEST(Product, RunsWhatFollowsItInPlace) {
  check_tactic("simd.matmul",
               "graph problem(%x0: f32[2,9,40], %w1: f32[40,300], %w2: f32[300], %x3: f32[2,9,300]) {"
               " %v0 = matmul(%x0, %w1) : f32[2,9,300] %v1 = add(%v0, %w2) : f32[2,9,300]"
               " %v2 = gelu(%v1) : f32[2,9,300] %v3 = add(%x3, %v2) : f32[2,9,300] yield %v3 }",
               {.relative = 1e-4, .absolute = 1e-3});
}

TEST(Product, ReadsRowsWhereTheyLie) {
  // BERT's pooler: the first token of each text
  check_tactic("simd.matmul",
               "graph problem(%x0: f32[3,8,40], %w1: f32[40,24], %w2: f32[24]) { constant @i: i64[] = {1}"
               " %t = gather(%x0, @i) {axis=1} : f32[3,40] %v0 = matmul(%t, %w1) : f32[3,24]"
               " %v1 = add(%v0, %w2) : f32[3,24] %v2 = tanh(%v1) : f32[3,24] yield %v2 }",
               {.relative = 1e-4, .absolute = 1e-4});
}

TEST(FusedNorm, GathersRowsOfTables) {
  CheckOptions options;
  options.inputs = {{}, Tensor::of<int64_t>({2, 3}, {0, 6, -1, 3, -7, 2}), {}, {}, {},
                    {}, Tensor::of<int32_t>({2, 3}, {1, 0, 0, 1, -2, 1})};
  check_tactic("simd.fused_norm",
               "graph problem(%w0: f32[7,21], %x1: i64[2,3], %w2: f32[1,3,21], %w3: f32[21], %w4: f32[21], "
               "%w5: f32[2,21],"
               " %x6: i32[2,3]) { %v0 = gather(%w0, %x1) : f32[2,3,21] %v1 = add(%v0, %w2) : f32[2,3,21]"
               " %v2 = gather(%w5, %x6) : f32[2,3,21] %v3 = add(%v1, %v2) : f32[2,3,21]"
               " %v4 = layer_norm(%v3, %w3, %w4) {epsilon=0.001} : f32[2,3,21] yield %v4 }",
               options);
  options.inputs.resize(2);
  check_tactic("simd.fused_norm",
               "graph problem(%x0: f32[7,21], %x1: i64[2,3], %w2: f32[21]) {"
               " %v0 = gather(%x0, %x1) : f32[2,3,21] %v1 = rms_norm(%v0, %w2) : f32[2,3,21] yield %v1 }",
               options);
}

TEST(FusedNorm, AddsResiduals) {
  check_tactic(
      "simd.fused_norm",
      "graph problem(%x0: f32[4,5,33], %x1: f32[5,33], %w2: f32[33], %w3: f32[33]) {"
      " %v0 = add(%x0, %x1) : f32[4,5,33] %v1 = layer_norm(%v0, %w2, %w3) : f32[4,5,33] yield %v1 }");
}

TEST(FusedNorm, RefusesIndicesOutOfRange) {
  const auto device = device::open_device("cpu");
  const device::Problem problem = device::Problem::parse(
      "graph problem(%x0: f32[7,21], %x1: i64[2], %w2: f32[21]) { %v0 = gather(%x0, %x1) : f32[2,21]"
      " %v1 = rms_norm(%v0, %w2) : f32[2,21] yield %v1 }");
  const device::Tactic* tactic = device::find_tactic(*device, "simd.fused_norm");
  const auto kernel = tactic->load(problem, {"only", 0}, "", *device);
  const std::vector<device::BoundTensor> inputs = {
      {DType::f32, {7, 21}}, {DType::i64, {2}}, {DType::f32, {21}}};
  const std::vector<device::BoundTensor> outputs = {{DType::f32, {2, 21}}};
  const std::vector<Tensor> host(3), constants = {Tensor(DType::f32, {21})};
  const auto bound = kernel->bind({inputs, outputs, host});
  const std::vector<float> table(7 * 21);
  const std::vector<int64_t> indices = {0, 7};
  std::vector<float> result(2 * 21);
  std::vector<char> workspace(bound->workspace_bytes());
  const void* from[] = {table.data(), indices.data(), nullptr};
  void* to[] = {result.data()};
  const auto stream = device->create_stream();
  EXPECT_THROW(device->execute([&] {
    bound->enqueue(*stream, {from, to, constants, workspace.data()});
  }),
               Error);
}

}  // namespace
}  // namespace burnish::test
