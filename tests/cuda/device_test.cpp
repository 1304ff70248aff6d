// On a machine with a GPU: every tactic and candidate against the reference.
#include <gtest/gtest.h>

#include <algorithm>

#include "cases.h"
#include "device/device.h"
#include "problems.h"
#include "tune/oracle.h"

namespace burnish::cuda {
namespace {

std::shared_ptr<device::Device> gpu(const device::DeviceOptions& options = {}) {
  std::string problem;
  device::Backend* backend = device::find_backend("cuda", &problem);
  if (!backend || backend->devices(&problem).empty()) return nullptr;
  return backend->open(0, options);
}

/// At least one of the device's tactics must be wanted, or the tests would try nothing and pass.
bool any_wanted(const device::Device& device) {
  const auto tactics = device.tactics();
  return std::any_of(tactics.begin(), tactics.end(),
                     [](const device::Tactic* tactic) { return cuda_tests::wanted(tactic->name()); });
}

/// Runs one share of the cases that cuda_tests::cases() gives for `kind`: of their problems where they are
/// all candidates, which spares references; else of their candidates, as a few problems bring most kinds.
void run_share(size_t share, const cuda_tests::Kind& kind) {
  const std::shared_ptr<device::Device> device = gpu();
  if (!device) GTEST_SKIP() << "there is no GPU";
  ASSERT_TRUE(any_wanted(*device)) << "BURNISH_TEST_TACTIC names no tactic";
  const auto any = [](const auto&) { return true; };
  const std::vector<cuda_tests::Case> all = cuda_tests::cases(*device, any, any, kind);
  size_t candidates_before = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const device::Problem& problem = all[i].problem;
    std::vector<Tensor> expected;
    for (const auto& [tactic, candidates] : all[i].ways)
      for (const device::Candidate& candidate : candidates) {
        if ((kind ? candidates_before++ : i) % cuda_tests::shares != share) continue;
        SCOPED_TRACE(tactic->name() + " " + candidate.id + " of " + problem.text());
        if (expected.empty()) expected = tune::expected_outputs(problem);
        EXPECT_NO_THROW(
            EXPECT_EQ(tune::try_candidate(problem, *tactic, candidate, expected, *device, 1).wrong, ""));
      }
  }
}

/// Each takes its share of the problems, so that they can run side by side.
class Gpu : public testing::TestWithParam<size_t> {};

TEST_P(Gpu, EveryCandidateAgreesWithTheReference) { run_share(GetParam(), nullptr); }

// What a sanitizer, under which kernels run many times slower, is to see: bench/cuda/sanitize.sh.
TEST_P(Gpu, OneOfEachWayOfWorkingAgreesWithTheReference) {
  run_share(GetParam(), cuda_tests::way_of_working);
}

TEST_P(Gpu, OneOfEachCandidateAgreesWithTheReference) {
  run_share(GetParam(), [](const device::Tactic& tactic, const device::Candidate& candidate,
                           const device::Problem& problem) {
    return candidate.id + " " + std::string(dtype_name(problem.input(0).dtype)) +
           (tactic.name() == "cuda.per_element" ? problem.op(0).name : "");
  });
}

TEST_P(Gpu, KernelsOfAnOlderArchitectureRunHere) {
  const std::shared_ptr<device::Device> device = gpu({0, false, "sm_80"});
  if (!device) GTEST_SKIP() << "there is no GPU";
  EXPECT_EQ(device->info().arch, "sm_80");
  ASSERT_TRUE(any_wanted(*device)) << "BURNISH_TEST_TACTIC names no tactic";
  for (const std::string& text : cuda_tests::share_of_problems(GetParam())) {
    const device::Problem problem = device::Problem::parse(text);
    if (!tune::can_be_tried(problem)) continue;
    const std::vector<Tensor> expected = tune::expected_outputs(problem);
    for (const device::Tactic* tactic : device->tactics()) {
      if (!cuda_tests::wanted(tactic->name()) || !device::runs(*tactic, problem, device->info())) continue;
      const device::Candidate candidate = tactic->candidates(problem, *device).at(0);
      SCOPED_TRACE(tactic->name() + " " + candidate.id + " of " + text);
      EXPECT_NO_THROW(
          EXPECT_EQ(tune::try_candidate(problem, *tactic, candidate, expected, *device, 1).wrong, ""));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shares, Gpu, testing::Range(size_t{0}, cuda_tests::shares));

}  // namespace
}  // namespace burnish::cuda
