#include "backends/cpu/executor.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "device/device.h"

namespace burnish::cpu {
namespace {

TEST(Executor, RunsBodiesOfAllCallersOnOneThread) {
  std::mutex mutex;
  std::set<std::thread::id> executors;
  std::atomic<int> inside{0}, calls{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller)
    callers.emplace_back([&] {
      for (int i = 0; i < 100; ++i)
        execute(2, [&] {
          EXPECT_EQ(++inside, 1);
          std::lock_guard lock(mutex);
          executors.insert(std::this_thread::get_id());
          ++calls;
          --inside;
        });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(calls, 800);
  EXPECT_EQ(executors.size(), 1u);
}

TEST(Executor, ParallelForUsesNoMoreThreadsThanAskedFor) {
  for (int threads : {1, 2, 3}) {
    std::mutex mutex;
    std::set<std::thread::id> workers;
    std::vector<int> visits(1000);
    execute(threads, [&] {
      EXPECT_EQ(current_parallel().threads(), threads);
      parallel_for(1000, 1, [&](int64_t begin, int64_t end) {
        {
          std::lock_guard lock(mutex);
          workers.insert(std::this_thread::get_id());
        }
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
    });
    EXPECT_LE(static_cast<int>(workers.size()), threads);
    EXPECT_EQ(visits, std::vector<int>(1000, 1));
  }
}

TEST(Executor, NestedCallsRunInPlace) {
  int calls = 0;
  execute(2, [&] {
    const auto outer = std::this_thread::get_id();
    execute(1, [&] {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      EXPECT_EQ(current_parallel().threads(), 1);
      ++calls;
    });
    EXPECT_EQ(current_parallel().threads(), 2);
  });
  EXPECT_EQ(calls, 1);
}

TEST(Executor, LoopsOfManyCallersSeeWhatTheLoopsBeforeThemWrote) {
  constexpr int64_t size = 1000;
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < 8; ++caller)
    callers.emplace_back([&] {
      std::vector<int64_t> first(size), second(size);
      for (int run = 0; run < 20; ++run)
        execute(3, [&] {
          parallel_for(size, 1, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) first[static_cast<size_t>(i)] = i + run;
          });
          parallel_for(size, 1, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i)
              second[static_cast<size_t>(i)] = first[static_cast<size_t>(size - 1 - i)];
          });
          for (int64_t i = 0; i < size; ++i) wrong += second[static_cast<size_t>(i)] != size - 1 - i + run;
        });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Executor, FailuresReachTheCaller) {
  EXPECT_THROW(execute(2, [] { fail("on purpose"); }), Error);
  EXPECT_THROW(
      execute(
          2, [] { parallel_for(100, 1, [](int64_t begin, int64_t) { require(begin < 50, "on purpose"); }); }),
      Error);
  bool ran = false;
  execute(2, [&] { ran = true; });
  EXPECT_TRUE(ran);
}

#if !defined(__SANITIZE_THREAD__)
TEST(Executor, AForkedChildHasItsOwn) {
  execute(2, [] {});
  const pid_t child = fork();
  if (child == 0) {
    int calls = 0;
    execute(2, [&] { ++calls; });
    _exit(calls == 1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

TEST(CpuDevice, SaysWhatItIs) {
  const auto device = device::open_device("cpu", {.threads = 2});
  const device::DeviceInfo& info = device->info();
  EXPECT_EQ(info.backend, "cpu");
  EXPECT_EQ(info.threads, 2);
  EXPECT_FALSE(info.arch.empty());
  EXPECT_EQ(info.tuning_key.find_first_of(" \t\n"), std::string::npos);
  EXPECT_NE(info.tuning_key.find(".kernels_"), std::string::npos);
  EXPECT_NE(info.tuning_key.find(info.arch), std::string::npos);
  EXPECT_GT(info.memory_bytes, 1 << 20);
}

TEST(CpuDevice, MeasuresMicroseconds) {
  const auto device = device::open_device("cpu", {.threads = 1});
  std::set<int> turns;
  const double time = device->measure(
      [&](device::Stream&, int turn) {
        turns.insert(turn);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      },
      3, 20000);
  EXPECT_GE(time, 500);
  EXPECT_LT(time, 50000);
  EXPECT_EQ(turns, (std::set<int>{0, 1, 2}));
}

TEST(CpuDevice, RefusesWhatDoesNotFit) {
  const auto device = device::open_device("cpu");
  EXPECT_THROW(device->allocate(~size_t{0} / 2), Error);
  void* memory = device->allocate(100);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
  device->free(memory);
}

}  // namespace
}  // namespace burnish::cpu
