// Threads that take turns on one: each goes on until it gives the turn back.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace burnish::emulated {

class Fiber {
 public:
  static constexpr size_t stack_bytes = 256 << 10;

  /// `stack`: stack_bytes of memory.
  Fiber(char* stack, std::function<void()> body);

  /// Goes on until the body yields or ends. From the thread that owns the fibers.
  void resume();
  bool ended() const { return ended_; }
  /// Back to where resume() was called, from inside of the body.
  static void yield();

 private:
  static void start();

  std::function<void()> body_;
  void* stack_ = nullptr;  // where it stands
  bool ended_ = false;
};

/// Memory for the stacks of so many fibers, kept for the next launch.
char* stacks_for(size_t count);

}  // namespace burnish::emulated
