#include "cuda/compiler.h"

#include <nvrtc.h>
#include <unistd.h>
#include <xxhash.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "cuda/library.h"

namespace burnish::cuda {
namespace {

namespace fs = std::filesystem;

#define BURNISH_NVRTC_FUNCTIONS(X)                                                              \
  X(nvrtcVersion)                                                                               \
  X(nvrtcCreateProgram) X(nvrtcDestroyProgram) X(nvrtcCompileProgram) X(nvrtcGetProgramLogSize) \
      X(nvrtcGetProgramLog) X(nvrtcGetCUBINSize) X(nvrtcGetCUBIN) X(nvrtcGetErrorString)

struct Nvrtc {
#define BURNISH_FIELD(NAME) decltype(&::NAME) NAME = nullptr;
  BURNISH_NVRTC_FUNCTIONS(BURNISH_FIELD)
#undef BURNISH_FIELD
  std::string version;
};

Nvrtc open_nvrtc() {
  const Library library("NVRTC, CUDA's run-time compiler,",
                        {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"});
  Nvrtc nvrtc;
#define BURNISH_LOAD(NAME) nvrtc.NAME = reinterpret_cast<decltype(nvrtc.NAME)>(library.get(#NAME));
  BURNISH_NVRTC_FUNCTIONS(BURNISH_LOAD)
#undef BURNISH_LOAD
  int major = 0, minor = 0;
  nvrtc.nvrtcVersion(&major, &minor);
  nvrtc.version = fmt::format("{}.{}", major, minor);
  return nvrtc;
}

const Nvrtc& nvrtc() {
  static const Nvrtc opened = open_nvrtc();
  return opened;
}

/// Where compiled code is kept; empty for nowhere.
fs::path cache_folder() {
  if (const char* given = std::getenv("BURNISH_CACHE")) {
    if (std::string(given) == "none") return {};
    return fs::path(given) / "cuda";
  }
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return fs::path(cache) / "burnish" / "cuda";
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".cache" / "burnish" / "cuda";
  return {};
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str() : std::string();
}

/// Writes beside and renames, so that a reader never sees half of it. A full disk costs only the cache.
void keep_file(const fs::path& path, const std::string& content) {
  static std::atomic<int> counter{0};
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  const fs::path beside = path.string() + fmt::format(".{}.{}", getpid(), counter++);
  std::ofstream file(beside, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (file) fs::rename(beside, path, ignored);
  if (!file || ignored) fs::remove(beside, ignored);
}

std::string run_compiler(const std::string& source, const std::string& target) {
  const Nvrtc& api = nvrtc();
  nvrtcProgram program = nullptr;
  const auto check = [&](nvrtcResult result, const char* what) {
    require(result == NVRTC_SUCCESS, "NVRTC {}: {} failed: {}", api.version, what,
            api.nvrtcGetErrorString(result));
  };
  check(api.nvrtcCreateProgram(&program, source.c_str(), "kernel.cu", 0, nullptr, nullptr),
        "nvrtcCreateProgram");
  const std::string architecture = "--gpu-architecture=" + target;
  const char* options[] = {architecture.c_str(), "--std=c++17", "--extra-device-vectorization",
                           "-default-device"};
  const nvrtcResult result = api.nvrtcCompileProgram(program, 4, options);
  std::string log, cubin;
  size_t size = 0;
  if (result != NVRTC_SUCCESS) {
    api.nvrtcGetProgramLogSize(program, &size);
    log.resize(size);
    api.nvrtcGetProgramLog(program, log.data());
  } else {
    check(api.nvrtcGetCUBINSize(program, &size), "nvrtcGetCUBINSize");
    cubin.resize(size);
    check(api.nvrtcGetCUBIN(program, cubin.data()), "nvrtcGetCUBIN");
  }
  api.nvrtcDestroyProgram(&program);
  require(result == NVRTC_SUCCESS, "NVRTC {} could not compile a kernel for {}: {}", api.version, target,
          log);
  return cubin;
}

}  // namespace

Arch Arch::parse(const std::string& name) {
  Arch arch;
  size_t i = 3;
  if (name.starts_with("sm_"))
    for (; i < name.size() && std::isdigit(static_cast<unsigned char>(name[i])); ++i)
      arch.number = arch.number * 10 + (name[i] - '0');
  const bool ends = i == name.size() || (i + 1 == name.size() && name[i] == 'a');
  require(arch.number >= 80 && arch.number < 1000 && ends,
          "architecture '{}': sm_80 or newer is expected, as in sm_90", name);
  return arch;
}

std::string Arch::all_features() const { return name() + (number >= 90 ? "a" : ""); }

std::string compiler_version() { return nvrtc().version; }

std::string compile_cuda(const std::string& source, const std::string& target) {
  const fs::path folder = cache_folder();
  fs::path path;
  if (!folder.empty()) {
    const std::string key = nvrtc().version + "\n" + target + "\n" + source;
    const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
    path = folder / fmt::format("{:016x}{:016x}.cubin", hash.high64, hash.low64);
    std::string kept = read_file(path);
    if (kept.starts_with("\x7f"
                         "ELF"))
      return kept;
  }
  std::string cubin = run_compiler(source, target);
  if (!path.empty()) keep_file(path, cubin);
  return cubin;
}

}  // namespace burnish::cuda
