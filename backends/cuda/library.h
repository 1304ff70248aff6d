// Shared libraries that are found and opened at run time, so that one build serves machines with and without
// them.
#pragma once

#include <string>
#include <vector>

namespace burnish::cuda {

/// An open shared library. It is never closed: CUDA's libraries do not survive that.
class Library {
 public:
  /// Opens the first that is found, in this order: in the folders of BURNISH_CUDA_LIBRARIES (divided by ':');
  /// the one that the process has open already, PyTorch's say, or that lies on the loader's path; in
  /// library_folders(). Of several file names the first goes first within each folder. Throws Error listing
  /// what was tried.
  Library(std::string what, const std::vector<std::string>& file_names);

  /// The symbol's address, or null.
  void* find(const char* symbol) const;
  /// Throws Error naming the library and the symbol.
  void* get(const char* symbol) const;

 private:
  std::string what_;
  void* handle_ = nullptr;
};

/// Where CUDA's libraries may lie besides, best first: beside the package that `own_file`
/// (libburnish_cuda.so) is installed in, where pip puts PyTorch's (site-packages/nvidia/*/lib); the same
/// under VIRTUAL_ENV; the toolkit's, by CUDA_HOME, CUDA_PATH and the usual place; and, for the library in a
/// build folder, the .venv beside that.
std::vector<std::string> library_folders(const std::string& own_file);

}  // namespace burnish::cuda
