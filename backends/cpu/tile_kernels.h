// SIMD kernels of single pointwise ops over runs of elements that lie in L1.
#pragma once

#include <burnish/dtype.h>

#include <cstdint>
#include <string_view>

namespace burnish::cpu {

/// One call of a kernel: `count` contiguous elements of each input, and of the output, which may be an input.
struct TileCall {
  const void* inputs[3];
  void* output;
  int64_t count;
  const float* parameters;
};
using TileKernel = void (*)(const TileCall&);

/// Names of the attributes that become TileCall::parameters of the op called `op`, in order.
struct TileParameters {
  std::string_view op;
  std::string_view names[2];
};
extern const TileParameters tile_parameters[6];

/// The kernel of the best instruction set here for a pointwise op whose inputs other than bool have `dtype`;
/// null where there is none.
TileKernel find_tile_kernel(std::string_view op, DType dtype);

}  // namespace burnish::cpu
