#include "fibers.h"

#include <sys/mman.h>

#include <new>

// Stores the registers that a function keeps (System V ABI, x86-64) and goes on at another stack.
extern "C" void emulated_switch(void** from, void* to);
asm(R"(
.text
.type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch, .-emulated_switch
)");

namespace burnish::emulated {
namespace {

Fiber* running = nullptr;
void* owner_stack = nullptr;

}  // namespace

Fiber::Fiber(char* stack, std::function<void()> body) : body_(std::move(body)) {
  void** top = reinterpret_cast<void**>(stack + stack_bytes);
  *--top = nullptr;                                 // the ABI's alignment at a function's beginning
  *--top = reinterpret_cast<void*>(&Fiber::start);  // where the first switch returns to
  for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
  stack_ = top;
}

void Fiber::start() {
  running->body_();
  running->ended_ = true;
  yield();
}

void Fiber::resume() {
  running = this;
  emulated_switch(&owner_stack, stack_);
}

void Fiber::yield() { emulated_switch(&running->stack_, owner_stack); }

char* stacks_for(size_t count) {
  static char* stacks = nullptr;
  static size_t held = 0;
  if (count > held) {
    if (stacks) munmap(stacks, held * Fiber::stack_bytes);
    void* memory = mmap(nullptr, count * Fiber::stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stacks = static_cast<char*>(memory);
    held = count;
  }
  return stacks;
}

}  // namespace burnish::emulated
