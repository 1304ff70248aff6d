#include "base/contention.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "../support/crowd.h"

namespace burnish {
namespace {

TEST(Contention, TwoThreadsOfOneProcessorWaitForEachOther) {
  if (!std::filesystem::exists("/proc/self/schedstat"))
    GTEST_SKIP() << "this system does not tell how long threads wait";
  const double before = waited_for_processors_us();
  const testing::Crowd crowd;
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  // One of them waits at any time; the last slice of each may not be counted yet.
  EXPECT_GT(waited_for_processors_us() - before, 100e3);
}

}  // namespace
}  // namespace burnish
