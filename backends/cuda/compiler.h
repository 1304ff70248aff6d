// CUDA C++ text to machine code by NVRTC, with a cache on disk. Needs no GPU and no driver.
#pragma once

#include <string>
#include <vector>

namespace burnish::cuda {

/// A chip's architecture as "sm_90" names it.
struct Arch {
  int number = 0;  ///< 80, 90, 100

  static Arch parse(const std::string& name);  ///< throws Error on anything but "sm_NN" or "sm_NNa"
  /// What to compile for to use all that the chip has: "sm_90a" for 90 (wgmma), "sm_100a" for 100 (tcgen05).
  std::string all_features() const;
  std::string name() const { return "sm_" + std::to_string(number); }
};

/// "13.0", NVRTC's own version. Throws Error if it is not found.
std::string compiler_version();

/// The cubin of `source` for `target` ("sm_80", "sm_90a"). Throws Error with the compiler's log. Results are
/// kept in $BURNISH_CACHE or the user's cache folder, keyed by source, target and compiler;
/// BURNISH_CACHE=none keeps none.
std::string compile_cuda(const std::string& source, const std::string& target);

}  // namespace burnish::cuda
