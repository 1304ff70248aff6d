#include "cuda/driver.h"

#include <mutex>

#include "cuda/library.h"

namespace burnish::cuda {
namespace {

constexpr int oldest_version = 12000;

// Stringises the name that cuda.h gives a function (cuMemAlloc is cuMemAlloc_v2): NAME is expanded once more.
#define BURNISH_TEXT(NAME) #NAME
#define BURNISH_SYMBOL(NAME) BURNISH_TEXT(NAME)

/// The newest version of a function, or the plain one of drivers older than the headers.
void* find_function(const Library& library, const char* versioned, const char* plain) {
  void* address = library.find(versioned);
  return address ? address : library.get(plain);
}

Driver open_driver() {
  const Library library("NVIDIA's driver", {"libcuda.so.1", "libcuda.so"});
  Driver driver;
  driver.cuDriverGetVersion =
      reinterpret_cast<decltype(driver.cuDriverGetVersion)>(library.get("cuDriverGetVersion"));
  driver.cuDriverGetVersion(&driver.version);
  require(driver.version >= oldest_version,
          "NVIDIA's driver is too old: it serves CUDA {}.{}, and {}.{} or newer is needed; update the driver",
          driver.version / 1000, driver.version % 1000 / 10, oldest_version / 1000,
          oldest_version % 1000 / 10);
#define BURNISH_LOAD(NAME) \
  driver.NAME = reinterpret_cast<decltype(driver.NAME)>(find_function(library, BURNISH_SYMBOL(NAME), #NAME));
  BURNISH_DRIVER_FUNCTIONS(BURNISH_LOAD)
#undef BURNISH_LOAD
#define BURNISH_FIND(NAME) driver.NAME = reinterpret_cast<decltype(driver.NAME)>(library.find(#NAME));
  BURNISH_FIND(cuModuleGetFunctionCount)
  BURNISH_FIND(cuModuleEnumerateFunctions)
  BURNISH_FIND(cuFuncLoad)
#undef BURNISH_FIND
  const CUresult result = driver.cuInit(0);
  if (result != CUDA_SUCCESS) {
    const char* text = nullptr;
    driver.cuGetErrorString(result, &text);
    fail("NVIDIA's driver could not be started: {}", text ? text : "unknown error");
  }
  return driver;
}

}  // namespace

const Driver& driver() {
  // A failure is remembered, so that asking again costs nothing and says the same.
  static std::once_flag once;
  static Driver opened;
  static std::string problem;
  std::call_once(once, [] {
    try {
      opened = open_driver();
    } catch (const Error& error) {
      problem = error.what();
    }
  });
  require(problem.empty(), "{}", problem);
  return opened;
}

std::string error_text(CUresult result) {
  const char *name = nullptr, *text = nullptr;
  driver().cuGetErrorName(result, &name);
  driver().cuGetErrorString(result, &text);
  return fmt::format("{} ({})", name ? name : "unknown error", text ? text : "?");
}

bool is_sticky(CUresult result) {
  switch (result) {
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
      return true;
    default:
      return false;
  }
}

}  // namespace burnish::cuda
