// Contention for processors, for tests.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace burnish::testing {

/// Two threads that want one processor: as long as this lives, one of them waits.
class Crowd {
 public:
  Crowd() : first_([this] { spin(); }), second_([this] { spin(); }) {}
  ~Crowd() {
    done_ = true;
    first_.join();
    second_.join();
  }
  Crowd(const Crowd&) = delete;

 private:
  void spin() const {
    cpu_set_t allowed, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    while (!done_) {
    }
  }

  std::atomic<bool> done_ = false;
  std::thread first_, second_;
};

}  // namespace burnish::testing
