// Shared libraries that are found and opened at run time, so that one build serves machines with and without
// them.
#pragma once

#include <string>
#include <vector>

namespace burnish::cuda {

/// An open shared library. It is never closed: CUDA's libraries do not survive that.
class Library {
 public:
  /// Tries each file name as it is, then in every folder of library_folders(). Throws Error listing what was
  /// tried.
  Library(std::string what, const std::vector<std::string>& file_names);

  /// The symbol's address, or null.
  void* find(const char* symbol) const;
  /// Throws Error naming the library and the symbol.
  void* get(const char* symbol) const;

 private:
  std::string what_;
  void* handle_ = nullptr;
};

/// Where CUDA's libraries may lie besides the loader's own path: BURNISH_CUDA_LIBRARIES (folders divided by
/// ':'), the toolkit's folders, and those of PyPI's packages (which came with PyTorch) under VIRTUAL_ENV.
std::vector<std::string> library_folders();

}  // namespace burnish::cuda
