// Problems of odd sizes for every kernel of the CUDA backend, as text.
#pragma once

#include <string>
#include <vector>

namespace burnish::cuda_tests {

/// Small: the reference answers each in well under a second.
const std::vector<std::string>& small_problems();

}  // namespace burnish::cuda_tests
