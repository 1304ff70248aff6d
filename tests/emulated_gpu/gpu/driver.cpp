// The driver's interface (libcuda.so.1) over one emulated GPU that passes for an H100: device, memory, code
// and launches.
#include <cuda.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "launch.h"
#include "tensor_map.h"
#include "work.h"

using namespace burnish::emulated;

namespace {

CUresult result_of(const Fault& error) {
  switch (error.kind) {
    case Fault::invalid:
      return CUDA_ERROR_INVALID_VALUE;
    case Fault::launch_failed:
      return CUDA_ERROR_LAUNCH_FAILED;
    case Fault::illegal_address:
      return CUDA_ERROR_ILLEGAL_ADDRESS;
    case Fault::misaligned:
      return CUDA_ERROR_MISALIGNED_ADDRESS;
    case Fault::timeout:
      return CUDA_ERROR_LAUNCH_TIMEOUT;
  }
  return CUDA_ERROR_UNKNOWN;
}

class LoadedFunction;

/// Code as the compiler made it, loaded once for each block of a cluster.
class Module {
 public:
  explicit Module(const void* data)
      : path_("/tmp/emulated_code_" + std::to_string(getpid()) + "_" + std::to_string(number_++)) {
    // The length is what the file's section headers, its last part, say.
    const char* bytes = static_cast<const char*>(data);
    unsigned long long headers = 0;
    unsigned short size = 0, count = 0;
    std::memcpy(&headers, bytes + 40, 8);
    std::memcpy(&size, bytes + 58, 2);
    std::memcpy(&count, bytes + 60, 2);
    bytes_.assign(bytes, headers + size_t{size} * count);
  }
  ~Module();
  /// Made when it is first asked for. Throws Fault where the code has none of that name.
  LoadedFunction& function(const std::string& name);
  /// Of its functions.
  std::vector<std::string> names() {
    std::vector<std::string> all;
    if (void* address = dlsym(handle(0), "emulated_names")) {
      std::istringstream text(reinterpret_cast<const char* (*)()>(address)());
      for (std::string name; text >> name;)  // as they stand in the text, which may leave some out by #if
        if (dlsym(handle(0), ("emulated_call_" + name).c_str())) all.push_back(name);
    }
    return all;
  }
  void* handle(size_t rank) {
    while (handles_.size() <= rank) {
      const std::string path = path_ + "_" + std::to_string(handles_.size());
      std::ofstream(path, std::ios::binary) << bytes_;
      void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (!handle) std::fprintf(stderr, "emulated GPU: %s\n", dlerror());
      unlink(path.c_str());
      if (!handle) throw Fault{Fault::invalid, "code that cannot be loaded"};
      handles_.push_back(handle);
    }
    return handles_[rank];
  }

 private:
  static inline int number_ = 0;
  std::string path_, bytes_;
  std::vector<void*> handles_;
  std::map<std::string, std::unique_ptr<LoadedFunction>> functions_;
};

class LoadedFunction : public Function {
 public:
  LoadedFunction(Module& module, std::string name) : module_(module), name_(std::move(name)) {
    sizes_ = reinterpret_cast<const unsigned* (*)()>(symbol(0, "emulated_sizes_" + name_))();
  }
  const Code& code(size_t rank) override {
    while (codes_.size() <= rank) {
      const size_t next = codes_.size();
      Code code;
      code.handle = module_.handle(next);
      code.call = reinterpret_cast<void (*)(void**)>(symbol(next, "emulated_call_" + name_));
      Dl_info info{};
      dladdr(reinterpret_cast<void*>(code.call), &info);
      code.image = static_cast<char*>(info.dli_fbase);
      using Attach = EmulatedPlace* (*)(const EmulatedMachine*);
      code.place = reinterpret_cast<Attach>(symbol(next, "emulated_attach"))(&burnish::emulated::machine());
      if (void* shared = dlsym(code.handle, "emulated_shared"))
        code.shared = reinterpret_cast<char* (*)()>(shared)();
      codes_.push_back(code);
    }
    return codes_[rank];
  }
  /// Copies of a launch's parameters.
  std::vector<std::vector<char>> copies(void** parameters) const {
    std::vector<std::vector<char>> all;
    for (size_t i = 0; sizes_[i]; ++i) {
      const char* from = static_cast<const char*>(parameters[i]);
      all.emplace_back(from, from + sizes_[i]);
    }
    return all;
  }
  /// Whether it lies on the device: a driver puts it there at its first launch, or when asked to.
  bool on_device = false;

 private:
  void* symbol(size_t rank, const std::string& name) {
    void* address = dlsym(module_.handle(rank), name.c_str());
    if (!address) throw Fault{Fault::invalid, "no " + name};
    return address;
  }

  Module& module_;
  std::string name_;
  const unsigned* sizes_;
  std::vector<Code> codes_;
};

Module::~Module() {
  functions_.clear();
  for (void* handle : handles_) dlclose(handle);
}

LoadedFunction& Module::function(const std::string& name) {
  std::unique_ptr<LoadedFunction>& function = functions_[name];
  if (!function) function = std::make_unique<LoadedFunction>(*this, name);
  return *function;
}

void run_copy(LoadedFunction& function, const Launch& shape,
              const std::vector<std::vector<char>>& parameters) {
  Launch launch = shape;
  launch.function = &function;
  for (const std::vector<char>& each : parameters) {
    void* aligned = std::aligned_alloc(64, (each.size() + 63) / 64 * 64);
    std::memcpy(aligned, each.data(), each.size());
    launch.parameters.push_back(aligned);
  }
  try {
    run(launch);
  } catch (const Fault& error) {
    fault = result_of(error);
    fault_text = error.what;
  }
  for (void* each : launch.parameters) std::free(each);
}

std::map<char*, std::pair<void*, size_t>> allocations;  // to what was mapped

/// Whether all of it lies on the device; host memory is copied at once.
bool on_device(const void* from, size_t bytes) {
  char* at = const_cast<char*>(static_cast<const char*>(from));
  auto found = allocations.upper_bound(at);
  if (found == allocations.begin()) return false;
  --found;
  const char* end = static_cast<char*>(found->second.first) + found->second.second;
  return at + bytes <= end;
}
thread_local CUcontext current = nullptr;
int context = 0;
int memory_made = 0, loaded_by_launches = 0;

}  // namespace

extern "C" {
CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
CUresult cuDriverGetVersion(int* version) {
  *version = 13000;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult result, const char** text) {
  *text = result == CUDA_ERROR_ILLEGAL_ADDRESS      ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : result == CUDA_ERROR_LAUNCH_TIMEOUT     ? "CUDA_ERROR_LAUNCH_TIMEOUT"
          : result == CUDA_ERROR_MISALIGNED_ADDRESS ? "CUDA_ERROR_MISALIGNED_ADDRESS"
                                                    : "CUDA_ERROR";
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult, const char** text) {
  *text = fault_text.c_str();
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* device, int index) {
  *device = index;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  *count = 1;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int length, CUdevice) {
  std::snprintf(name, static_cast<size_t>(length), "emulated GPU");
  return CUDA_SUCCESS;
}
/// An H100's, or as many as a test asks for: then small problems fill it too.
static int multiprocessors() {
  const char* const wanted = std::getenv("EMULATED_MULTIPROCESSORS");
  return wanted ? std::atoi(wanted) : 132;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? 9
           : attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? 0
           : attribute == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT     ? multiprocessors()
                                                                       : 1 << 20;
  return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem(size_t* bytes, CUdevice) {
  *bytes = size_t{80} << 30;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* made, CUdevice) {
  *made = reinterpret_cast<CUcontext>(&context);
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice) { return CUDA_SUCCESS; }
CUresult cuCtxPushCurrent(CUcontext made) {
  current = made;
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext* made) {
  *made = current;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext* made) {
  *made = current;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext made) {
  current = made;
  return CUDA_SUCCESS;
}
CUresult cuCtxSynchronize() {
  const Guard guard(lock);
  complete_all();
  return fault;
}
CUresult cuMemAlloc(CUdeviceptr* memory, size_t bytes) {
  const Guard guard(lock);
  if (fault) return fault;
  // Ends where a page ends that nothing may touch.
  const size_t page = 4096, whole = (bytes + 255) / 256 * 256, mapped = (whole + page - 1) / page * page;
  if (mapped > size_t{16} << 30) return CUDA_ERROR_OUT_OF_MEMORY;
  char* first = static_cast<char*>(mmap(nullptr, mapped + page, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (first == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  mprotect(first + mapped, page, PROT_NONE);
  char* made = first + mapped - whole;
  std::memset(made, 0xff, std::min(whole, size_t{1} << 26));
  allocations[made] = {first, mapped + page};
  ++memory_made;
  *memory = reinterpret_cast<CUdeviceptr>(made);
  return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr memory) {
  const Guard guard(lock);
  if (!memory) return CUDA_SUCCESS;
  complete_all();
  const auto found = allocations.find(reinterpret_cast<char*>(memory));
  if (found == allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  munmap(found->second.first, found->second.second);
  allocations.erase(found);
  return fault;
}
CUresult cuMemGetInfo(size_t* free, size_t* total) {
  *free = *total = size_t{80} << 30;
  return CUDA_SUCCESS;
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream any) {
  const Guard guard(lock);
  if (fault) return fault;
  Stream& stream = stream_of(any);
  void* const target = reinterpret_cast<void*>(to);
  const char* const source = reinterpret_cast<const char*>(from);
  const bool copied = on_device(source, bytes) || stream.capture;
  if (copied)
    stream.enqueue(CU_GRAPH_NODE_TYPE_MEMCPY, [=] { std::memcpy(target, source, bytes); });
  else
    stream.enqueue(CU_GRAPH_NODE_TYPE_MEMCPY, [target, data = std::vector<char>(source, source + bytes)] {
      std::memcpy(target, data.data(), data.size());
    });
  if (!on_device(target, bytes) && !stream.capture) complete(stream.last);  // as from pageable memory
  return fault;
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream any) {
  const Guard guard(lock);
  stream_of(any).enqueue(CU_GRAPH_NODE_TYPE_MEMSET,
                         [=] { std::memset(reinterpret_cast<void*>(to), value, bytes); });
  return fault;
}
CUresult cuModuleLoadData(CUmodule* made, const void* data) {
  const Guard guard(lock);
  if (fault) return fault;
  *made = reinterpret_cast<CUmodule>(new Module(data));
  return CUDA_SUCCESS;
}
CUresult cuModuleUnload(CUmodule module) {
  const Guard guard(lock);
  complete_all();
  delete reinterpret_cast<Module*>(module);
  return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction* made, CUmodule module, const char* name) {
  const Guard guard(lock);
  try {
    *made = reinterpret_cast<CUfunction>(&reinterpret_cast<Module*>(module)->function(name));
  } catch (const Fault& error) {
    fault_text = error.what;
    return CUDA_ERROR_NOT_FOUND;
  }
  return CUDA_SUCCESS;
}
CUresult cuModuleGetFunctionCount(unsigned* count, CUmodule module) {
  const Guard guard(lock);
  *count = static_cast<unsigned>(reinterpret_cast<Module*>(module)->names().size());
  return CUDA_SUCCESS;
}
CUresult cuModuleEnumerateFunctions(CUfunction* functions, unsigned count, CUmodule any) {
  const Guard guard(lock);
  Module& module = *reinterpret_cast<Module*>(any);
  const std::vector<std::string> names = module.names();
  for (size_t i = 0; i < std::min<size_t>(count, names.size()); ++i)
    functions[i] = reinterpret_cast<CUfunction>(&module.function(names[i]));
  return CUDA_SUCCESS;
}
CUresult cuFuncLoad(CUfunction function) {
  const Guard guard(lock);
  reinterpret_cast<LoadedFunction*>(function)->on_device = true;
  return CUDA_SUCCESS;
}
/// How often memory was made, and functions came to the device late, in a launch.
void emulated_counts(int* memory, int* functions) {
  const Guard guard(lock);
  *memory = memory_made;
  *functions = loaded_by_launches;
}
CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute attribute, int value) {
  if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES && value > 227 << 10)
    return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int* value, CUfunction_attribute, CUfunction) {
  *value = 0;
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction any, void** parameters, void**) {
  const Guard guard(lock);
  if (fault) return fault;
  Launch launch{nullptr,
                {config->gridDimX, config->gridDimY, config->gridDimZ},
                {config->blockDimX, config->blockDimY, config->blockDimZ},
                {1, 1, 1},
                config->sharedMemBytes,
                {}};
  for (unsigned i = 0; i < config->numAttrs; ++i)
    if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      launch.cluster = {config->attrs[i].value.clusterDim.x, config->attrs[i].value.clusterDim.y,
                        config->attrs[i].value.clusterDim.z};
  for (int d = 0; d < 3; ++d)
    if (!launch.grid[d] || !launch.threads[d] || launch.grid[d] % launch.cluster[d] ||
        (d && launch.grid[d] > 65535))
      return CUDA_ERROR_INVALID_VALUE;
  if (launch.threads[0] * launch.threads[1] * launch.threads[2] > 1024 ||
      launch.cluster[0] * launch.cluster[1] * launch.cluster[2] > 8 || launch.shared_bytes > 227 << 10)
    return CUDA_ERROR_INVALID_VALUE;
  LoadedFunction& function = *reinterpret_cast<LoadedFunction*>(any);
  loaded_by_launches += !function.on_device;
  function.on_device = true;
  stream_of(config->hStream)
      .enqueue(CU_GRAPH_NODE_TYPE_KERNEL, [&function, launch, copies = function.copies(parameters)] {
        run_copy(function, launch, copies);
      });
  return CUDA_SUCCESS;
}
CUresult cuTensorMapEncodeTiled(CUtensorMap* into, CUtensorMapDataType type, cuuint32_t axes, void* base,
                                const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                                const cuuint32_t* steps, CUtensorMapInterleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  TensorMap map{};
  map.magic = TensorMap::expected_magic;
  map.axes = axes;
  map.element_bytes = type == CU_TENSOR_MAP_DATA_TYPE_FLOAT32 ? 4 : 2;
  map.base = static_cast<const char*>(base);
  bool good = axes >= 1 && axes <= TensorMap::most_axes && reinterpret_cast<size_t>(base) % 16 == 0 &&
              swizzle == CU_TENSOR_MAP_SWIZZLE_128B && box[0] * map.element_bytes == 128;
  for (cuuint32_t d = 0; good && d < axes; ++d) {
    good = sizes[d] > 0 && sizes[d] <= 1ull << 32 && box[d] > 0 && box[d] <= 256 && steps[d] > 0 &&
           steps[d] <= 8 && (d == 0 || (strides[d - 1] % 16 == 0 && strides[d - 1] < 1ull << 40));
    map.sizes[d] = static_cast<unsigned>(sizes[d]);
    map.box[d] = box[d];
    map.steps[d] = steps[d];
    if (d) map.strides[d - 1] = static_cast<unsigned>(strides[d - 1]);
  }
  if (!good) return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(into, &map, sizeof map);
  return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveClusters(int* count, CUfunction, const CUlaunchConfig*) {
  *count = 16;
  return CUDA_SUCCESS;
}
}
