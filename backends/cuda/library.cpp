#include "cuda/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/error.h"

namespace burnish::cuda {
namespace {

namespace fs = std::filesystem;

/// Calls visit(path) for each folder inside `folder`; nothing where there is none.
template <class Visit>
void for_each_folder(const fs::path& folder, Visit&& visit) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_directory(ignored)) visit(entry.path());
}

/// PyPI's packages put their libraries into lib/pythonX.Y/site-packages/nvidia/PACKAGE/lib.
void add_python_folders(const fs::path& environment, std::vector<std::string>& folders) {
  for_each_folder(environment / "lib", [&](const fs::path& python) {
    for_each_folder(python / "site-packages" / "nvidia",
                    [&](const fs::path& package) { folders.push_back((package / "lib").string()); });
  });
}

}  // namespace

std::vector<std::string> library_folders() {
  std::vector<std::string> folders;
  if (const char* given = std::getenv("BURNISH_CUDA_LIBRARIES")) {
    std::istringstream list(given);
    for (std::string folder; std::getline(list, folder, ':');)
      if (!folder.empty()) folders.push_back(folder);
  }
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char* root = std::getenv(variable)) folders.push_back(std::string(root) + "/lib64");
  folders.push_back("/usr/local/cuda/lib64");
  if (const char* environment = std::getenv("VIRTUAL_ENV")) add_python_folders(environment, folders);
  return folders;
}

Library::Library(std::string what, const std::vector<std::string>& file_names) : what_(std::move(what)) {
  for (const std::string& name : file_names)
    if ((handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))) return;
  std::string places;
  for (const std::string& folder : library_folders()) {
    for (const std::string& name : file_names)
      if ((handle_ = dlopen((folder + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL))) return;
    places += ", " + folder;
  }
  fail(
      "{} was not found: looked for {} on the loader's path{}; install it, or name its folder in "
      "BURNISH_CUDA_LIBRARIES",
      what_, file_names.front(), places);
}

void* Library::find(const char* symbol) const { return dlsym(handle_, symbol); }

void* Library::get(const char* symbol) const {
  void* address = find(symbol);
  require(address != nullptr, "{} has no {}: it is too old", what_, symbol);
  return address;
}

}  // namespace burnish::cuda
