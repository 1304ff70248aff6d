// What cuTensorMapEncodeTiled puts into a map, and what a copy by it brings.
#pragma once

#include <cstddef>
#include <vector>

namespace burnish::emulated {

struct alignas(64) TensorMap {
  static constexpr unsigned expected_magic = 0x7e50u, most_axes = 5;

  unsigned magic, axes, element_bytes;
  unsigned box[most_axes], steps[most_axes];  // innermost first
  unsigned sizes[most_axes];
  const char* base;
  unsigned strides[most_axes - 1];  // bytes, of all axes but the innermost

  /// The box that begins at `place` (innermost first), its elements in order; zeros outside of the tensor.
  std::vector<char> read(const int* place) const {
    size_t counts[most_axes], total = 1;
    for (unsigned d = 0; d < axes; ++d) total *= counts[d] = (box[d] + steps[d] - 1) / steps[d];
    std::vector<char> bytes(total * element_bytes, 0);
    for (size_t i = 0; i < total; ++i) {
      size_t rest = i;
      const char* from = base;
      bool inside = true;
      for (unsigned d = 0; d < axes; ++d) {
        const long long at = place[d] + static_cast<long long>(rest % counts[d] * steps[d]);
        rest /= counts[d];
        inside = inside && at >= 0 && at < static_cast<long long>(sizes[d]);
        from += inside ? at * (d ? strides[d - 1] : element_bytes) : 0;
      }
      for (unsigned b = 0; inside && b < element_bytes; ++b) bytes[i * element_bytes + b] = from[b];
    }
    return bytes;
  }
};
static_assert(sizeof(TensorMap) <= 128);

}  // namespace burnish::emulated
