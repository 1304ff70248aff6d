// Every kernel template compiles for every architecture that it names; no GPU is needed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "cuda/generated.h"
#include "problems.h"

namespace burnish::cuda {
namespace {

device::DeviceInfo device_of(const Arch& arch) {
  device::DeviceInfo info;
  info.backend = "cuda";
  info.arch = arch.name();
  info.tf32 = true;
  return info;
}

/// By architecture and share of the problems.
class Compile : public testing::TestWithParam<std::tuple<const char*, size_t>> {};

TEST_P(Compile, EveryTemplate) {
  try {
    compiler_version();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const Arch arch = Arch::parse(std::get<0>(GetParam()));
  const bool everything = std::getenv("BURNISH_CHECK_ALL") != nullptr;
  for (const std::string& text : cuda_tests::share_of_problems(std::get<1>(GetParam()))) {
    const device::Problem problem = device::Problem::parse(text);
    bool supported = false;
    for (const device::Tactic* tactic : all_tactics()) {
      const auto* generated = dynamic_cast<const GeneratedTactic*>(tactic);
      if (!generated || !device::runs(*tactic, problem, device_of(arch))) continue;
      supported = true;
      std::set<std::string> kinds;  // of products: one tile a block, and blocks that stay, in several ways
      for (const device::Candidate& candidate : generated->configurations(problem, {arch, 132})) {
        const size_t stays = std::min(candidate.id.find(".p"), candidate.id.size());
        const size_t end = candidate.id.find('.', stays + 1);
        const bool first_of_kind = kinds.insert(candidate.id.substr(stays, end - stays)).second;
        if (!everything && !first_of_kind) continue;
        EXPECT_NO_THROW({
          try {
            compile_cuda(generated->program(problem, candidate.id, arch), generated->target(arch));
          } catch (const Error& error) {
            ADD_FAILURE() << tactic->name() << " " << candidate.id << " of " << text << ": " << error.what();
          }
        });
      }
    }
    EXPECT_TRUE(supported || (arch.number != 90 && cuda_tests::hopper_alone(text))) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, Compile,
                         testing::Combine(testing::Values("sm_80", "sm_90", "sm_100"),
                                          testing::Range(size_t{0}, cuda_tests::shares)));

}  // namespace
}  // namespace burnish::cuda
