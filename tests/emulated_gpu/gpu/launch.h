// Kernels as the emulated GPU's driver hands them to its machine.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "machine.h"

namespace burnish::emulated {

/// What went wrong with a launch.
struct Fault {
  enum Kind { invalid, launch_failed, illegal_address, misaligned, timeout } kind;
  std::string what;
};

/// A kernel's code, loaded for one block of a cluster: with memory of its own for what blocks share inside.
struct Code {
  void* handle = nullptr;
  char* image = nullptr;  ///< where it was loaded
  EmulatedPlace* place = nullptr;
  char* shared = nullptr;  ///< for the launch's shared memory, where the kernel takes such
  void (*call)(void**) = nullptr;
};

class Function {
 public:
  virtual ~Function() = default;
  /// For the block of this rank.
  virtual const Code& code(size_t rank) = 0;
};

struct Launch {
  Function* function;
  std::array<unsigned, 3> grid, threads, cluster;
  size_t shared_bytes;
  mutable std::vector<void*> parameters;
};

const EmulatedMachine& machine();

/// Runs it to its end. Throws Fault.
void run(const Launch& launch);

}  // namespace burnish::emulated
