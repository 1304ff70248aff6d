#include "cuda/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
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

/// PyPI's packages, those that come with PyTorch, put their libraries into site-packages/nvidia/PACKAGE/lib.
void add_packages(const fs::path& site_packages, std::vector<std::string>& folders) {
  for_each_folder(site_packages / "nvidia", [&](const fs::path& package) {
    std::error_code ignored;
    if (fs::is_directory(package / "lib", ignored)) folders.push_back((package / "lib").string());
  });
}

/// The packages of a virtual environment: lib/pythonX.Y/site-packages.
void add_environment(const fs::path& environment, std::vector<std::string>& folders) {
  for_each_folder(environment / "lib",
                  [&](const fs::path& python) { add_packages(python / "site-packages", folders); });
}

/// The variable's value; empty where it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::vector<std::string> named_folders() {
  std::vector<std::string> folders;
  std::istringstream list(variable("BURNISH_CUDA_LIBRARIES"));
  for (std::string folder; std::getline(list, folder, ':');)
    if (!folder.empty()) folders.push_back(folder);
  return folders;
}

/// The file that this code was loaded from.
fs::path own_path() {
  Dl_info here{};
  if (!dladdr(reinterpret_cast<void*>(&own_path), &here) || !here.dli_fname) return {};
  std::error_code failed;
  const fs::path path = fs::canonical(here.dli_fname, failed);
  return failed ? fs::path() : path;
}

/// The handle of the first file that opens, or null.
void* open_any(const std::vector<std::string>& folders, const std::vector<std::string>& file_names) {
  for (const std::string& folder : folders)
    for (const std::string& name : file_names)
      if (void* handle = dlopen((folder + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
  return nullptr;
}

}  // namespace

std::vector<std::string> library_folders(const std::string& own_file) {
  std::vector<std::string> folders;
  const fs::path own_folder = fs::path(own_file).parent_path();
  if (!own_file.empty()) add_packages(own_folder.parent_path(), folders);
  if (const std::string environment = variable("VIRTUAL_ENV"); !environment.empty())
    add_environment(environment, folders);
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"})
    if (const std::string root = variable(name); !root.empty()) folders.push_back(root + "/lib64");
  folders.push_back("/usr/local/cuda/lib64");
  if (!own_file.empty()) add_environment(own_folder.parent_path().parent_path() / ".venv", folders);
  std::vector<std::string> once;
  for (std::string& folder : folders)
    if (std::find(once.begin(), once.end(), folder) == once.end()) once.push_back(std::move(folder));
  return once;
}

Library::Library(std::string what, const std::vector<std::string>& file_names) : what_(std::move(what)) {
  if ((handle_ = open_any(named_folders(), file_names))) return;
  for (const std::string& name : file_names)
    if ((handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))) return;
  const std::vector<std::string> folders = library_folders(own_path().string());
  if ((handle_ = open_any(folders, file_names))) return;
  fail(
      "{} was not found: looked for {} in the folders of BURNISH_CUDA_LIBRARIES, on the loader's path, and "
      "in {}; "
      "install it, or name its folder in BURNISH_CUDA_LIBRARIES",
      what_, file_names.front(), fmt::join(folders, ", "));
}

void* Library::find(const char* symbol) const { return dlsym(handle_, symbol); }

void* Library::get(const char* symbol) const {
  void* address = find(symbol);
  require(address != nullptr, "{} has no {}: it is too old", what_, symbol);
  return address;
}

}  // namespace burnish::cuda
