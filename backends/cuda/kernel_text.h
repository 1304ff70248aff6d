// The texts of kernels/*.cuh, as embedded by CMake.
#pragma once

#include <map>
#include <string>

namespace burnish::cuda {

/// By file name without its ending: "prelude", "implicit_gemm", ...
const std::map<std::string, std::string>& kernel_texts();

}  // namespace burnish::cuda
