// What the kernels on warpgroup instructions are launched with; no GPU is needed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cuda/generated.h"
#include "cuda/tactics.h"
#include "cuda/wgmma.h"
#include "problems.h"

namespace burnish::cuda {
namespace {

/// The text of the first candidate's kernel.
std::string kernel_text_of(const std::string& text) {
  const device::Problem problem = device::Problem::parse(text);
  const auto& tactic = dynamic_cast<const GeneratedTactic&>(wgmma_tactic());
  const Gpu h100{Arch::parse("sm_90"), 132};
  return tactic.program(problem, tactic.configurations(problem, h100).at(0).id, h100.arch);
}

// Whole clusters, at least one, within what a multiprocessor of an H100 has. Blocks that stay share out its
// registers: each of a thread's is taken in eights, all warps of a partition from 16384, one warp of each
// warpgroup in each.
TEST(Wgmma, EveryLaunchFitsTheChip) {
  device::DeviceInfo h100;
  h100.backend = "cuda";
  h100.arch = "sm_90";
  const Arch arch = Arch::parse("sm_90");
  constexpr size_t most_shared = 227 << 10, declared = 1024;
  int staying = 0;
  for (const std::string& text : cuda_tests::small_problems())
    for (const device::Tactic* each : {&wgmma_tactic(), &wgmma_conv_tactic()}) {
      const device::Problem problem = device::Problem::parse(text);
      if (!each->supports(problem, h100)) continue;
      const auto& tactic = dynamic_cast<const GeneratedTactic&>(*each);
      for (const device::Candidate& candidate : tactic.configurations(problem, {arch, 132})) {
        SCOPED_TRACE(candidate.id + " of " + text);
        const WgmmaConfig config = WgmmaConfig::parse(candidate.id, each->name());
        EXPECT_EQ(candidate.id.rfind(config.id(), 0), 0u);
        const std::vector<Launch> launches = tactic.launches(problem, problem, candidate.id, arch);
        ASSERT_EQ(launches.size(), 1u);
        const Launch& launch = launches[0];
        for (size_t d = 0; d < 3; ++d) {
          EXPECT_GT(launch.grid[d], 0u);
          EXPECT_EQ(launch.grid[d] % launch.cluster[d], 0u);
        }
        EXPECT_LE(launch.cluster[0] * launch.cluster[1] * launch.cluster[2], 8u);
        EXPECT_LE(launch.shared_bytes + declared, most_shared);
        if (config.blocks == 0) continue;
        ++staying;
        EXPECT_LE(launch.grid[0], 132u);
        EXPECT_EQ(launch.cluster[0], static_cast<unsigned>(config.cluster()));
        const int groups = config.groups + 1, at_first = 65536 / (groups * 128) / 8 * 8;
        const int feeder = config.groups == 4 ? 24 : 40;
        const int multiplier = config.groups == 4 ? 112 : config.groups == 3 ? 152 : 232;
        EXPECT_EQ(launch.threads, static_cast<unsigned>(groups * 128));
        EXPECT_LE(config.groups * multiplier + feeder, groups * at_first);
      }
    }
  EXPECT_GT(staying, 0);
}

// The tuner tries the first eight: those with blocks that stay are among them, and none is the first.
TEST(Wgmma, OffersBothKindsToTheTuner) {
  const std::vector<device::Candidate> plain = {{"c", 3}, {"a", 1}, {"e", 5}, {"b", 2}, {"d", 4}, {"f", 6}};
  const auto ids = [](const std::vector<device::Candidate>& candidates) {
    std::string text;
    for (const device::Candidate& candidate : candidates) text += candidate.id;
    return text;
  };
  EXPECT_EQ(ids(offered(plain, {{"y", 0.2}, {"x", 0.1}})), "abxycdef");
  EXPECT_EQ(ids(offered(plain, {})), "abcdef");
  EXPECT_EQ(ids(offered({{"a", 1}}, {{"x", 0.1}})), "ax");
}

// Where sizes are open, a division by one costs each element of the result; one matrix's rows need none.
TEST(Wgmma, RowsOfOneMatrixAreNotDividedAmongMatrices) {
  const auto text = [](int matrices) {
    return kernel_text_of(fmt::format(
        "graph problem(%x0: f16[{0},n,64], %w1: f16[64,96], %x2: f16[{0},1,96]) {{ symbol n 1 100 1000 "
        "%v0 = matmul(%x0, %w1) : f16[{0},n,96] %v1 = add(%v0, %x2) : f16[{0},n,96] yield %v1 }}",
        matrices));
  };
  EXPECT_EQ(text(1).find("row / s.rows"), std::string::npos);
  EXPECT_NE(text(2).find("row / s.rows"), std::string::npos);
}

}  // namespace
}  // namespace burnish::cuda
