// Kernels' texts on the host, by stand-ins for the driver and for NVRTC (gpu/), against the reference; no GPU
// is needed.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "cases.h"
#include "cuda/device.h"
#include "cuda/generated.h"
#include "cuda/tactics.h"
#include "device/device.h"
#include "problems.h"
#include "tune/oracle.h"

namespace burnish::cuda {
namespace {

/// A device that has no times: candidates are compared only.
class EmulatedGpu : public CudaDevice {
 public:
  using CudaDevice::CudaDevice;
  double measure(const std::function<void(device::Stream&, int)>&, int, double) override { return 1; }
};

/// Opens the emulated GPU, of the architecture if one is named. Before anything opens a driver.
std::shared_ptr<EmulatedGpu> emulated_gpu(const std::string& arch = "") {
  setenv("BURNISH_CUDA_LIBRARIES", BURNISH_EMULATED_GPU, 1);
  device::DeviceOptions options;
  options.tf32 = true;
  options.arch = arch;
  return std::make_shared<EmulatedGpu>(0, options);
}

/// Elements of the largest operand: what the host runs in a moment.
int64_t largest_operand(const device::Problem& problem) {
  int64_t most = 0;
  for (int i = 0; i < problem.input_count(); ++i)
    most = std::max(most, ir::product(problem.input(i).shape).constant());
  for (int i = 0; i < problem.output_count(); ++i)
    most = std::max(most, ir::product(problem.output(i).shape).constant());
  return most;
}

/// Small problems such that every tactic wanted is there with every kind of candidate once; all that the host
/// runs in a few seconds where BURNISH_CHECK_ALL is set.
std::vector<cuda_tests::Case> cases(EmulatedGpu& gpu) {
  const bool everything = std::getenv("BURNISH_CHECK_ALL") != nullptr;
  const int64_t most_elements = everything ? 300000 : 30000;
  const auto fits = [=](const device::Problem& problem) { return largest_operand(problem) <= most_elements; };
  const auto generated = [](const device::Tactic& tactic) {
    return dynamic_cast<const GeneratedTactic*>(&tactic) != nullptr;
  };
  return cuda_tests::cases(gpu, fits, generated,
                           everything ? cuda_tests::Kind() : cuda_tests::way_of_working);
}

void run_share(size_t share, const std::shared_ptr<EmulatedGpu>& gpu) {
  const std::vector<cuda_tests::Case> all = cases(*gpu);
  for (size_t i = share; i < all.size(); i += cuda_tests::shares) {
    const device::Problem& problem = all[i].problem;
    tune::Trial trial(problem, tune::expected_outputs(problem), *gpu);
    for (const auto& [tactic, candidates] : all[i].ways)
      for (const device::Candidate& candidate : candidates) {
        SCOPED_TRACE(tactic->name() + " " + candidate.id + " of " + problem.text());
        EXPECT_NO_THROW(EXPECT_EQ(trial.run(*tactic, candidate, 1).wrong, ""));
      }
  }
}

/// How the candidate's result differs from the reference's, in each of the machine's ways to go on.
void expect_agreement(const device::Tactic& tactic, const std::string& candidate, const std::string& text) {
  const std::shared_ptr<EmulatedGpu> gpu = emulated_gpu();
  const device::Problem problem = device::Problem::parse(text);
  tune::Trial trial(problem, tune::expected_outputs(problem), *gpu);
  SCOPED_TRACE(candidate + " of " + text);
  for (int way = 0; way < 3; ++way)
    EXPECT_NO_THROW(EXPECT_EQ(trial.run(tactic, {candidate, 0}, 1).wrong, ""));
}

// Where one stage takes all shared memory, it is filled again when its own products have run.
TEST(Emulated, ARingOfOneStage) {
  const std::string product =
      "graph problem(%x0: f16[130,200], %w1: f16[200,200]) { %v0 = matmul(%x0, %w1) : f16[130,200] yield %v0 "
      "}";
  for (const char* id :
       {"64x32.s1.k1.c1x1", "128x48.s1.k2.c2x1", "128x128.s1.k1.c1x1.p4", "128x128.s1.k1.c2x1.p4fl"})
    expect_agreement(wgmma_tactic(), id, product);
  const std::string conv =
      "graph problem(%x0: f16[1,136,9,7] nhwc, %w1: f16[40,136,3,3]) { %v0 = conv(%x0, %w1) {pads=[1,1,1,1]} "
      ": "
      "f16[1,40,9,7] nhwc yield %v0 }";
  for (const char* id : {"64x48.s1.k1.c1x1.b8x8", "128x128.s1.k1.c1x1.p2.b8x9"})
    expect_agreement(wgmma_conv_tactic(), id, conv);
}

// Several tiles a block, clusters of either kind that the tiles do not fill, columns that end within a
// vector's reach; a residual that the result takes the place of.
TEST(Emulated, BlocksThatStay) {
  for (const auto [rows, inner, columns] : {std::array{300, 520, 520}, {259, 200, 387}}) {
    const std::string y = fmt::format("f16[{},{}]", rows, columns);
    const std::string product = fmt::format(
        "graph problem(%x0: f16[{0},{1}], %w1: f16[{1},{2}], %w2: f16[{2}], %x3: {3}) {{ %v0 = matmul(%x0, "
        "%w1) : {3} %v1 = "
        "add(%v0, %w2) : {3} %v2 = add(%v1, %x3) : {3} yield %v2 }}",
        rows, inner, columns, y);
    for (const char* id : {"128x128.s3.k1.c1x1.p5", "128x128.s3.k1.c2x1.p4f", "128x128.s4.k1.c1x2.p4fl",
                           "128x192.s3.k1.c1x1.p3fl", "128x256.s2.k1.c1x4.p4f", "128x128.s3.k1.c2x1.p2fl"})
      expect_agreement(wgmma_tactic(), id, product);
  }
  const std::string conv =
      "graph problem(%x0: f16[2,72,19,30] nhwc, %w1: f16[200,72,3,3], %w2: f16[200], %x3: f16[2,200,19,30] "
      "nhwc) { %v0 = "
      "conv(%x0, %w1, %w2) {pads=[1,1,1,1]} : f16[2,200,19,30] %v1 = add(%v0, %x3) : f16[2,200,19,30] nhwc "
      "yield %v1 }";
  for (const char* id :
       {"128x128.s3.k1.c1x1.p3.b16x8", "128x128.s3.k1.c2x2.p4f.b16x8", "128x192.s2.k1.c1x1.p2fl.b32x4",
        "192x128.s2.k1.c2x1.p4f.b16x12", "256x128.s2.k1.c1x1.p2f.b16x16"})
    expect_agreement(wgmma_conv_tactic(), id, conv);
}

// Each end of a tile: out of registers with eight and with four neighbours, windows of pixels, sums that
// change hands between blocks and within one; columns and rows that end within a tile, vectors of one, two
// and four.
TEST(Emulated, EndsOfTiles) {
  const auto product = [](int columns) {
    return fmt::format(
        "graph problem(%x0: f16[130,520], %w1: f16[520,{0}], %w2: f16[{0}], %x3: f16[130,{0}]) {{ %v0 = "
        "matmul(%x0, %w1) : f16[130,{0}] %v1 = add(%v0, %w2) : f16[130,{0}] %v2 = add(%v1, %x3) : "
        "f16[130,{0}] "
        "yield %v2 }}",
        columns);
  };
  for (const char* id :
       {"64x48.s3.k1.c1x1", "128x96.s2.k1.c1x1", "64x48.s2.k4.c2x1", "64x96.s1.k8.c1x1", "128x64.s2.k2.c1x2"})
    expect_agreement(wgmma_tactic(), id, product(104));
  for (const char* id : {"64x48.s3.k1.c1x1", "64x48.s2.k4.c2x1"})
    expect_agreement(wgmma_tactic(), id, product(77));
  const auto pooled = [](int filters) {
    return fmt::format(
        "graph problem(%x0: f16[2,72,20,28] nhwc, %w1: f16[{0},72,3,3], %w2: f16[{0}]) {{ %v0 = conv(%x0, "
        "%w1, %w2) {{pads=[1,1,1,1]}} : f16[2,{0},20,28] %v1 = relu(%v0) : f16[2,{0},20,28] %v2 = "
        "max_pool(%v1) {{kernel_shape=[2,2], strides=[2,2]}} : f16[2,{0},10,14] nhwc yield %v2 }}",
        filters);
  };
  for (const char* id : {"128x64.s2.k1.c1x1.b8x16", "64x48.s2.k1.c1x1.b8x8", "64x64.s2.k1.c1x1.b16x4",
                         "64x64.s2.k2.c1x1.b16x4", "128x32.s2.k4.c1x1.b8x16", "128x64.s2.k1.c1x1.p3k.b8x16",
                         "192x128.s1.k1.c1x1.p3.b8x24"})
    expect_agreement(wgmma_conv_tactic(), id, pooled(56));
  for (const char* id : {"64x32.s2.k1.c2x1.b8x8", "64x64.s2.k2.c1x1.b16x4"})
    expect_agreement(wgmma_conv_tactic(), id, pooled(43));
}

// The right operand of all steps stays where it is one tile of columns.
TEST(Emulated, OperandsThatStay) {
  const std::string product =
      "graph problem(%x0: f16[700,200], %w1: f16[200,56], %w2: f16[56]) { %v0 = matmul(%x0, %w1) : "
      "f16[700,56] %v1 = add(%v0, "
      "%w2) : f16[700,56] yield %v1 }";
  for (const char* id :
       {"128x64.s3.k1.c1x1.p3k", "128x64.s8.k1.c1x1.p2fk", "128x64.s1.k1.c1x1.p2k", "256x128.s2.k1.c1x1.p2k"})
    expect_agreement(wgmma_tactic(), id, product);
  const std::string conv =
      "graph problem(%x0: f16[2,72,19,30] nhwc, %w1: f16[60,72,3,3], %w2: f16[60]) { %v0 = conv(%x0, %w1, "
      "%w2) {pads=[1,1,1,1]} : "
      "f16[2,60,19,30] nhwc yield %v0 }";
  for (const char* id : {"128x64.s2.k1.c1x1.p3k.b8x16", "128x64.s3.k1.c1x1.p5fk.b32x4"})
    expect_agreement(wgmma_conv_tactic(), id, conv);
}

// Rows of one each under a first axis that is longer: a row is told from its matrix by all of them.
TEST(Emulated, MatricesOfOneRow) {
  for (const std::string body :
       {"softmax(%x0)", "log_softmax(%x0)", "layer_norm(%x0, %w1, %w2)", "rms_norm(%x0, %w1)"})
    expect_agreement(rows_tactic(), "lanes32x4",
                     fmt::format("graph problem(%x0: f32[5,1,24], %w1: f32[24], %w2: f32[24], %x3: "
                                 "f32[5,1,24]) {{ %v0 = {} : f32[5,1,24] %v1 = add(%v0, %x3) : f32[5,1,24] "
                                 "%v2 = mul(%v1, %w2) : f32[5,1,24] yield %v2 }}",
                                 body));
}

class EmulatedShares : public testing::TestWithParam<size_t> {};

TEST_P(EmulatedShares, KernelsAgreeWithTheReference) { run_share(GetParam(), emulated_gpu()); }
TEST_P(EmulatedShares, KernelsOfAnOlderArchitectureAgreeToo) {
  if (!std::getenv("BURNISH_CHECK_ALL")) GTEST_SKIP() << "takes long: BURNISH_CHECK_ALL";
  run_share(GetParam(), emulated_gpu("sm_80"));
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedShares, testing::Range(size_t{0}, cuda_tests::shares));

}  // namespace
}  // namespace burnish::cuda
