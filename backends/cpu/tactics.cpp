#include "backends/cpu/tactics.h"

#include "backends/cpu/simd_tactics.h"

namespace burnish::cpu {

std::span<const device::Tactic* const> tactics() {
  static const std::initializer_list<const device::Tactic*> table = {
      &pointwise_tactic(),
  };
  return {table.begin(), table.size()};
}

}  // namespace burnish::cpu
