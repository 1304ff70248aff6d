// NumPy's .npy files.
#pragma once

#include <burnish/tensor.h>

#include <string>

namespace burnish {

/// Reads a file of version 1 to 3, of either byte order and memory order, into row-major order.
/// Throws Error that names the file.
Tensor read_npy(const std::string& path);
/// Writes the tensor (on the host). Types that NumPy lacks are widened: bf16 and the eight-bit floats to
/// float32, four-bit integers to eight bits.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace burnish
