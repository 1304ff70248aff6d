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

/// Whether a tactic offers these layouts, and takes the problem in them.
bool offered(const device::Tactic& tactic, const std::string& text, const std::vector<Layout>& wanted) {
  device::DeviceInfo info;
  info.backend = "cuda";
  info.arch = "sm_90";
  const device::Problem problem = device::Problem::parse(text);
  const auto sets = tactic.layouts(problem, info);
  return std::find(sets.begin(), sets.end(), wanted) != sets.end() &&
         static_cast<bool>(tactic.supports(problem.with_layouts(wanted), info));
}

std::string pooled(int channels, int size, const char* window) {
  return fmt::format(
      "graph problem(%x0: f16[1,64,{1},{1}], %w1: f16[{0},64,3,3]) {{ %v0 = conv(%x0, %w1) "
      "{{pads=[1,1,1,1]}} : "
      "f16[1,{0},{1},{1}] %v1 = max_pool(%v0) {{{2}}} : f16[1,{0},{3},{3}] yield %v1 }}",
      channels, size, window, size / 2);
}

// What a flatten follows is small and wanted plain: pools and pooled convolutions write it so.
TEST(Layouts, SmallPoolsGoFromChannelsLastToPlain) {
  const std::vector<Layout> pool = {Layout::nhwc, Layout::plain},
                            conv = {Layout::nhwc, Layout::plain, Layout::plain};
  const auto alone = [](int size) {
    return fmt::format(
        "graph problem(%x0: f16[1,256,{0},{0}]) {{ %v0 = max_pool(%x0) {{kernel_shape=[3,3], strides=[2,2]}} "
        ": "
        "f16[1,256,{1},{1}] yield %v0 }}",
        size, (size - 3) / 2 + 1);
  };
  const char* const pairs = "kernel_shape=[2,2], strides=[2,2]";
  EXPECT_TRUE(offered(pool_tactic(), alone(13), pool));
  EXPECT_FALSE(offered(pool_tactic(), alone(113), pool));
  EXPECT_TRUE(offered(wgmma_conv_tactic(), pooled(512, 14, pairs), conv));
  EXPECT_FALSE(offered(wgmma_conv_tactic(), pooled(512, 112, pairs), conv));
}

// Only windows that tile the image are whole within a tile.
TEST(Layouts, OnlyPoolsInPairsJoinAConvolution) {
  const std::vector<Layout> nhwc = {Layout::nhwc, Layout::plain, Layout::nhwc};
  EXPECT_TRUE(offered(wgmma_conv_tactic(), pooled(40, 14, "kernel_shape=[2,2], strides=[2,2]"), nhwc));
  for (const char* window : {"kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
                             "kernel_shape=[2,2], strides=[2,2], dilations=[2,2], pads=[1,1,0,0]"})
    EXPECT_FALSE(offered(wgmma_conv_tactic(), pooled(40, 14, window), nhwc)) << window;
  EXPECT_FALSE(offered(wgmma_conv_tactic(), pooled(40, 15, "kernel_shape=[2,2], strides=[2,2]"), nhwc));
  for (const device::Tactic* other :
       {&implicit_gemm_tactic(), &cudnn_tactic(), &wgmma_tactic(), &stem_tactic()})
    EXPECT_FALSE(offered(*other, pooled(40, 14, "kernel_shape=[2,2], strides=[2,2]"), nhwc)) << other->name();
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
