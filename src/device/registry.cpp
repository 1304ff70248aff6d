// Backends by name: those linked in, and those in shared libraries of their own.
#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "device/device.h"

namespace burnish::device {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Backend>> backends;
  std::map<std::string, std::string> problems;  // of libraries that could not be loaded
};

Registry& registry() {
  static Registry instance;
  return instance;
}

/// The names that live in shared libraries: libburnish_cuda.so beside libburnish_runtime.so or on the loader's path.
const char* const loadable[] = {"cuda"};

std::string library_folder() {
  Dl_info here{};
  if (!dladdr(reinterpret_cast<void*>(&library_folder), &here) || !here.dli_fname) return {};
  const std::string path = here.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

/// Opens the library and calls its entry; what goes wrong is returned as text.
std::string load_library(const std::string& name) {
  const std::string file = "libburnish_" + name + ".so";
  void* library = dlopen((library_folder() + file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return fmt::format("{} could not be loaded ({})", file, dlerror());
  using VersionFunction = int (*)();
  using MakeFunction = Backend* (*)();
  const auto version = reinterpret_cast<VersionFunction>(dlsym(library, "burnish_backend_version"));
  const auto make = reinterpret_cast<MakeFunction>(dlsym(library, "burnish_backend_make"));
  if (!version || !make) return fmt::format("{} is not a backend of Burnish", file);
  if (version() != interface_version)
    return fmt::format("{} was built for version {} of the backend interface, this is version {}: rebuild it", file, version(), interface_version);
  registry().backends[name].reset(make());
  return {};
}

}  // namespace

void register_backend(std::unique_ptr<Backend> backend) {
  std::lock_guard lock(registry().mutex);
  std::string name = backend->name();
  registry().backends[std::move(name)] = std::move(backend);
}

Backend* find_backend(const std::string& name, std::string* problem) {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  if (!all.backends.contains(name) && std::find(std::begin(loadable), std::end(loadable), name) != std::end(loadable) && !all.problems.contains(name)) {
    const std::string what = load_library(name);
    if (!what.empty()) all.problems[name] = what;
  }
  const auto found = all.backends.find(name);
  if (found != all.backends.end()) return found->second.get();
  if (problem) *problem = all.problems.contains(name) ? all.problems[name] : fmt::format("there is no backend called '{}'", name);
  return nullptr;
}

std::vector<std::string> backend_names() {
  std::vector<std::string> names(std::begin(loadable), std::end(loadable));
  std::lock_guard lock(registry().mutex);
  for (const auto& [name, backend] : registry().backends)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

std::shared_ptr<Device> open_device(const std::string& spec, const DeviceOptions& options) {
  if (spec.empty()) {
    Backend* cuda = find_backend("cuda");
    if (cuda && !cuda->devices().empty()) return cuda->open(0, options);
    return open_device("cpu", options);
  }
  const size_t colon = spec.find(':');
  const std::string name = spec.substr(0, colon);
  int index = 0;
  if (colon != std::string::npos) {
    const std::string digits = spec.substr(colon + 1);
    if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos)
      throw UsageError(fmt::format("device '{}': expected NAME or NAME:INDEX, as in cuda:1", spec));
    index = std::stoi(digits);
  }
  std::string problem;
  Backend* backend = find_backend(name, &problem);
  if (!backend) {
    std::string names;
    for (const std::string& known : backend_names()) names += (names.empty() ? "" : ", ") + known;
    throw UsageError(fmt::format("device '{}': {}; known are {}", spec, problem, names));
  }
  const std::vector<DeviceInfo> devices = backend->devices(&problem);
  require(!devices.empty(), "device '{}': {}; run 'burnish devices' to see what is here, or use --device cpu", spec, problem);
  if (index >= static_cast<int>(devices.size()))
    throw UsageError(fmt::format("device '{}': there are only {} devices of '{}'", spec, devices.size(), name));
  return backend->open(index, options);
}

Tensor Device::to_host(const Tensor& tensor) {
  if (tensor.device().is_host()) return tensor;
  Tensor made(tensor.dtype(), tensor.shape());
  execute([&] {
    const std::unique_ptr<Stream> stream = create_stream();
    copy(made.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), *stream);
    stream->synchronize();
  });
  return made;
}

Tensor Device::make_tensor(DType dtype, Shape shape, size_t storage_bytes) {
  void* memory = allocate(std::max<size_t>(storage_bytes, 1));
  std::shared_ptr<const void> owner(memory, [this](const void* p) { free(const_cast<void*>(p)); });
  return Tensor::view(dtype, std::move(shape), memory, std::move(owner), id());
}

}  // namespace burnish::device
