// Kernels that are written for sizes which a symbol stands for: bound to several values of it, on the
// emulated GPU, against the reference.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <tuple>

#include "cases.h"
#include "cuda/device.h"
#include "cuda/generated.h"
#include "cuda/tactics.h"
#include "device/device.h"
#include "tune/oracle.h"

namespace burnish::cuda {
namespace {

/// A tactic whose kernels are made for another problem than the one that is tried: with symbols for its
/// sizes.
class WrittenFor : public device::Tactic {
 public:
  WrittenFor(const device::Tactic& tactic, const device::Problem& problem)
      : tactic_(tactic), problem_(problem) {}

  std::string name() const override { return tactic_.name(); }
  Support supports(const device::Problem&, const device::DeviceInfo& device) const override {
    return tactic_.supports(problem_, device);
  }
  std::string compile(const device::Problem&, const device::Candidate& candidate,
                      device::Device& device) const override {
    return tactic_.compile(problem_, candidate, device);
  }
  std::vector<Tensor> pack(const device::Problem&, const device::Candidate& candidate,
                           std::span<const Tensor> weights, device::Device& device) const override {
    return tactic_.pack(problem_, candidate, weights, device);
  }
  std::unique_ptr<device::Kernel> load(const device::Problem&, const device::Candidate& candidate,
                                       const std::string& code, device::Device& device) const override {
    return tactic_.load(problem_, candidate, code, device);
  }

 private:
  const device::Tactic& tactic_;
  const device::Problem problem_;
};

/// Problems with a size n of 1 to 300, tuned for 40.
const char* const problems[] = {
    "graph problem(%x0: f16[1,n,72], %w1: f16[72,136], %w2: f16[136]) { symbol n 1 40 300 %v0 = matmul(%x0, "
    "%w1) : f16[1,n,136] "
    "%v1 = add(%v0, %w2) : f16[1,n,136] %v2 = gelu(%v1) : f16[1,n,136] yield %v2 }",
    "graph problem(%x0: f16[1,n,264], %w1: f16[264,96], %w2: f16[96], %x3: f16[1,n,96]) { symbol n 1 40 300 "
    "%v0 = matmul(%x0, %w1) : "
    "f16[1,n,96] %v1 = add(%v0, %w2) : f16[1,n,96] %v2 = add(%v1, %x3) : f16[1,n,96] yield %v2 }",
    "graph problem(%x0: f16[1,32,5,n] nhwc, %w1: f16[48,32,3,3], %w2: f16[48]) { symbol n 1 40 300 %v0 = "
    "conv(%x0, %w1, %w2) "
    "{pads=[1,1,1,1]} : f16[1,48,5,n] %v1 = relu(%v0) : f16[1,48,5,n] nhwc yield %v1 }",
    "graph problem(%x0: f16[1,24,4,n] nhwc, %w1: f16[40,24,1,1], %w2: f16[40]) { symbol n 1 40 300 %v0 = "
    "conv(%x0, %w1, %w2) : "
    "f16[1,40,4,n] nhwc yield %v0 }",
    "graph problem(%x0: f16[1,3,8,2*n], %w1: f16[24,3,3,3], %w2: f16[24]) { symbol n 1 40 300 %v0 = "
    "conv(%x0, %w1, %w2) "
    "{strides=[2,2], pads=[1,1,1,1]} : f16[1,24,4,n] nhwc yield %v0 }",
    "graph problem(%x0: f16[1,24,4,n] nhwc, %w1: f16[24,1,3,3], %w2: f16[24]) { symbol n 1 40 300 %v0 = "
    "conv(%x0, %w1, %w2) "
    "{pads=[1,1,1,1], group=24} : f16[1,24,4,n] nhwc yield %v0 }",
    "graph problem(%x0: f16[1,16,4,n] nhwc, %w1: f16[16,24,2,2], %w2: f16[24]) { symbol n 1 40 300 %v0 = "
    "conv_transpose(%x0, %w1, "
    "%w2) {strides=[2,2]} : f16[1,24,8,2*n] nhwc yield %v0 }",
    "graph problem(%x0: f16[1,24,4,n] nhwc) { symbol n 1 40 300 constant @r: f32[0] = {} constant @s: f32[4] "
    "= {1, 1, 2, 2} %v0 = "
    "resize(%x0, @r, @s) {coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"} : "
    "f16[1,24,8,2*n] nhwc yield %v0 }",
    "graph problem(%x0: f16[1,24,4,n] nhwc) { symbol n 2 40 300 %v0 = max_pool(%x0) {kernel_shape=[2,2], "
    "strides=[2,1]} : "
    "f16[1,24,2,n - 1] nhwc yield %v0 }",
    "graph problem(%x0: f16[1,n,72], %w1: f16[72], %w2: f16[72]) { symbol n 1 40 300 %v0 = layer_norm(%x0, "
    "%w1, %w2) : f16[1,n,72] "
    "yield %v0 }",
    "graph problem(%x0: f16[1,2,n,32], %x1: f16[1,2,n,32], %x2: f16[1,2,n,32]) { symbol n 1 40 300 %v0 = "
    "attention(%x0, %x1, %x2) "
    "{scale=0.17} : f16[1,2,n,32] yield %v0 }",
    "graph problem(%x0: f16[1,2,n,64], %x1: f16[1,2,n,64], %x2: f16[1,2,n,64], %x3: i64[1,1,1,n]) { symbol n "
    "1 "
    "40 300 %v0 = attention(%x0, %x1, %x2, %x3) {scale=0.125} : f16[1,2,n,64] yield %v0 }",
    "graph problem(%x0: f16[1,n,40], %x1: f16[1,n,24]) { symbol n 1 40 300 %v0 = concat(%x0, %x1) {axis=2} : "
    "f16[1,n,64] yield %v0 }",
    "graph problem(%x0: f16[1,24,4,n] nhwc) { symbol n 1 40 300 %v0 = reduce_mean(%x0) {axes=[2,3]} : "
    "f16[1,24,1,1] nhwc yield %v0 }",
};

class OpenSizes : public testing::TestWithParam<const char*> {};

TEST_P(OpenSizes, KernelsAgreeWithTheReferenceAtAll) {
  setenv("BURNISH_CUDA_LIBRARIES", BURNISH_EMULATED_GPU, 1);
  CudaDevice gpu(0, {});
  const device::Problem problem = device::Problem::parse(GetParam());
  std::vector<std::pair<const device::Tactic*, device::Candidate>> ways;
  for (const device::Tactic* tactic : gpu.tactics()) {
    if (!dynamic_cast<const GeneratedTactic*>(tactic) || !device::runs(*tactic, problem, gpu.info()))
      continue;
    const size_t most = std::getenv("BURNISH_CHECK_ALL") ? 100 : 3;
    std::set<std::string> met;
    for (const device::Candidate& candidate : tactic->candidates(problem, gpu)) {
      const bool fresh = met.insert(cuda_tests::way_of_working(*tactic, candidate, problem)).second;
      if (fresh && met.size() <= most) ways.emplace_back(tactic, candidate);
    }
  }
  ASSERT_FALSE(ways.empty());
  for (int64_t n : {2, 40, 131, 300}) {
    const device::Problem concrete = problem.at({{"n", n}});
    tune::Trial trial(concrete, tune::expected_outputs(concrete), gpu);
    for (const auto& [tactic, candidate] : ways) {
      SCOPED_TRACE(fmt::format("{} {} at {} of {}", tactic->name(), candidate.id, n, problem.text()));
      EXPECT_NO_THROW(EXPECT_EQ(trial.run(WrittenFor(*tactic, problem), candidate, 1).wrong, ""));
    }
  }
}

/// Weights of the problem's shapes, other elements all over; none for other inputs.
std::vector<Tensor> some_weights(const device::Problem& problem) {
  std::vector<Tensor> weights(static_cast<size_t>(problem.input_count()));
  for (int i = 0; i < problem.input_count(); ++i) {
    if (!problem.is_weight(i)) continue;
    Tensor& made = weights[static_cast<size_t>(i)] =
        Tensor(problem.input(i).dtype, *ir::constants(problem.input(i).shape));
    for (int64_t at = 0; at < made.bytes(); ++at)
      static_cast<char*>(made.raw())[at] = static_cast<char>(at * 7 + at / 251);
  }
  return weights;
}

// An engine holds several kernels of a problem for different sizes, and its weights once.
TEST(Variants, TakeTheSameWeightsAndAgree) {
  setenv("BURNISH_CUDA_LIBRARIES", BURNISH_EMULATED_GPU, 1);
  setenv("EMULATED_MULTIPROCESSORS", "8", 1);  // small problems have many waves of blocks then
  CudaDevice gpu(0, {});
  unsetenv("EMULATED_MULTIPROCESSORS");
  const std::tuple<const device::Tactic*, const char*, const char*> chosen[] = {
      {&wgmma_tactic(), "64x32.s3.k4.c1x1",
       "graph problem(%x0: f16[1,n,520], %w1: f16[520,72], %w2: f16[72]) { symbol n 8 40 150 %v0 = "
       "matmul(%x0, %w1) : f16[1,n,72] "
       "%v1 = add(%v0, %w2) : f16[1,n,72] yield %v1 }"},
      {&wgmma_tactic(), "128x256.s3.k1.c1x1.p8",
       "graph problem(%x0: f16[1,n,136], %w1: f16[136,328], %w2: f16[328]) { symbol n 8 300 600 %v0 = "
       "matmul(%x0, %w1) : f16[1,n,328] %v1 = add(%v0, %w2) : f16[1,n,328] yield %v1 }"},
      {&implicit_gemm_tactic(), "16x64.s4.k2",
       "graph problem(%x0: f16[1,n,264], %w1: f16[264,72], %w2: f16[72]) { symbol n 8 20 150 %v0 = "
       "matmul(%x0, %w1) : f16[1,n,72] "
       "%v1 = add(%v0, %w2) : f16[1,n,72] yield %v1 }"},
      {&wgmma_conv_tactic(), "64x48.s3.k2.c1x1.b8x8",
       "graph problem(%x0: f16[1,72,8,n] nhwc, %w1: f16[72,72,3,3]) { symbol n 2 8 60 %v0 = conv(%x0, %w1) "
       "{pads=[1,1,1,1]} : "
       "f16[1,72,8,n] nhwc yield %v0 }"}};
  for (const auto& [tactic, id, text] : chosen) {
    const device::Problem problem = device::Problem::parse(text);
    const auto found = dynamic_cast<const GeneratedTactic&>(*tactic).variants(problem, id, gpu.gpu());
    SCOPED_TRACE(fmt::format("{} of {}", fmt::join(found, ", "), text));
    EXPECT_GT(found.size(), 1U);
    const std::vector<Tensor> weights = some_weights(problem),
                              first = tactic->pack(problem, {id, 0}, weights, gpu);
    for (const std::string& other : found) {
      const std::vector<Tensor> packed = tactic->pack(problem, {other, 0}, weights, gpu);
      ASSERT_EQ(packed.size(), first.size());
      for (size_t i = 0; i < packed.size(); ++i) {
        ASSERT_EQ(packed[i].bytes(), first[i].bytes());
        EXPECT_EQ(std::memcmp(packed[i].raw(), first[i].raw(), static_cast<size_t>(first[i].bytes())), 0)
            << other;
      }
    }
    const int64_t largest = problem.body().symbols.at("n").max;
    for (int64_t n : {int64_t{9}, largest / 2 - 1, largest}) {
      const device::Problem concrete = problem.at({{"n", n}});
      tune::Trial trial(concrete, tune::expected_outputs(concrete), gpu);
      EXPECT_NO_THROW(EXPECT_EQ(trial.run(WrittenFor(*tactic, problem), {id, 0}, 1).wrong, "")) << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpenSizes, testing::ValuesIn(problems));

}  // namespace
}  // namespace burnish::cuda
