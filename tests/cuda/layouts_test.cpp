// In which layouts the CUDA kernels are offered; no GPU is needed.
#include <gtest/gtest.h>

#include <algorithm>

#include "cuda/tactics.h"
#include "device/device.h"
#include "problems.h"

namespace burnish::cuda {
namespace {

using ir::Layout;

bool offers(const char* text, const std::vector<Layout>& wanted) {
  const device::Problem problem = device::Problem::parse(text);
  const auto sets = move_tactic().layouts(problem, {});
  return std::find(sets.begin(), sets.end(), wanted) != sets.end() &&
         static_cast<bool>(move_tactic().supports(problem.with_layouts(wanted), {}));
}

// ConvNeXt and Swin go from convolutions' channels-last memory to a plain tensor whose channels are last, and
// back.
TEST(Layouts, ATransposeThatAChangeOfLayoutMakesUpForIsOffered) {
  EXPECT_TRUE(
      offers("graph problem(%x0: f16[2,24,5,7]) { %v0 = transpose(%x0) {perm=[0,2,3,1]} : f16[2,5,7,24] "
             "yield %v0 }",
             {Layout::nhwc, Layout::plain}));
  EXPECT_TRUE(
      offers("graph problem(%x0: f16[2,5,7,24]) { %v0 = transpose(%x0) {perm=[0,3,1,2]} : f16[2,24,5,7] "
             "yield %v0 }",
             {Layout::plain, Layout::nhwc}));
  EXPECT_FALSE(
      offers("graph problem(%x0: f16[2,5,7,24]) { %v0 = transpose(%x0) {perm=[0,2,3,1]} : f16[2,7,24,5] "
             "yield %v0 }",
             {Layout::plain, Layout::nhwc}));
}

// The cover asks every tactic for its layouts before it asks whether the problem is supported at all.
TEST(Layouts, EveryTacticCanBeAskedAboutEveryProblem) {
  device::DeviceInfo info;
  info.backend = "cuda";
  info.arch = "sm_90";
  info.tf32 = true;
  for (size_t share = 0; share < cuda_tests::shares; ++share)
    for (const std::string& text : cuda_tests::share_of_problems(share)) {
      const device::Problem problem = device::Problem::parse(text);
      for (const device::Tactic* tactic : all_tactics()) {
        SCOPED_TRACE(tactic->name() + " asked about " + text);
        EXPECT_NO_THROW(static_cast<void>(tactic->layouts(problem, info)));
        EXPECT_NO_THROW(static_cast<void>(tactic->supports(problem, info)));
      }
    }
}

}  // namespace
}  // namespace burnish::cuda
