#include "tests/support/allocations.h"

#include <dlfcn.h>
#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BURNISH_COUNTS_ALLOCATIONS 1
#endif

namespace burnish::test {
namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> counted{0};
std::atomic<void*> first_caller{nullptr};

[[maybe_unused]] void note(void* caller) {
  if (!counting.load(std::memory_order_relaxed)) return;
  Dl_info info{};
  if (dladdr(caller, &info) && info.dli_fname &&
      (std::strstr(info.dli_fname, "libdnnl") || std::strstr(info.dli_fname, "libgomp")))
    return;
  if (counted.fetch_add(1) == 0) first_caller = caller;
}

}  // namespace

CountAllocations::CountAllocations() {
  counted = 0;
  first_caller = nullptr;
  counting = true;
}
CountAllocations::~CountAllocations() { counting = false; }
int64_t CountAllocations::count() const { return counted; }

bool CountAllocations::works() {
#ifdef BURNISH_COUNTS_ALLOCATIONS
  return true;
#else
  return false;
#endif
}

std::string CountAllocations::first() const {
  Dl_info info{};
  if (!first_caller || !dladdr(first_caller, &info)) return "nobody";
  const long offset = static_cast<char*>(first_caller.load()) - static_cast<char*>(info.dli_fbase);
  char where[32];
  std::snprintf(where, sizeof where, " +0x%lx", offset);
  return std::string(info.dli_sname ? info.dli_sname : "a local function") + " in " +
         (info.dli_fname ? info.dli_fname : "?") + where;
}

}  // namespace burnish::test

#ifdef BURNISH_COUNTS_ALLOCATIONS

// In the place of the C library's and C++'s own, whose names with __libc_ give the memory. free() is theirs.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  burnish::test::note(__builtin_return_address(0));
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  burnish::test::note(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  burnish::test::note(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  burnish::test::note(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  burnish::test::note(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : 12;  // ENOMEM
}
}

namespace {

void* new_memory(size_t bytes, size_t alignment, void* caller) {
  burnish::test::note(caller);
  void* memory = alignment ? __libc_memalign(alignment, bytes) : __libc_malloc(bytes ? bytes : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return new_memory(bytes, 0, __builtin_return_address(0)); }
void* operator new[](size_t bytes) { return new_memory(bytes, 0, __builtin_return_address(0)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return new_memory(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return new_memory(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

#endif
