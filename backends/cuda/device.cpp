#include "cuda/device.h"

#include <algorithm>
#include <cstdlib>

#include "cuda/timing.h"
#include "kernels_hash.h"

namespace burnish::cuda {
namespace {

int attribute(CUdevice device, CUdevice_attribute which) {
  int value = 0;
  check_driver(driver().cuDeviceGetAttribute(&value, which, device), "cuDeviceGetAttribute");
  return value;
}

Arch arch_of(CUdevice device) {
  return {attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10 +
          attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)};
}

CUdeviceptr address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

std::string mib(size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

class CudaEvent : public device::Event {
 public:
  CudaEvent(CudaDevice& device, bool timed) : device_(device) {
    const unsigned flags = timed ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING;
    device.check(driver().cuEventCreate(&event_, flags), "cuEventCreate");
  }
  ~CudaEvent() override {
    const ContextScope scope(device_.context());
    driver().cuEventDestroy(event_);
  }
  double milliseconds_since(device::Event& start) override {
    const ContextScope scope(device_.context());
    float milliseconds = 0;
    device_.check(driver().cuEventSynchronize(event_), "cuEventSynchronize");
    device_.check(driver().cuEventElapsedTime(&milliseconds, static_cast<CudaEvent&>(start).native(), event_),
                  "cuEventElapsedTime");
    return milliseconds;
  }
  CUevent native() const { return event_; }
  /// Whether it was recorded as a part of a graph.
  bool captured = false;

 private:
  CudaDevice& device_;
  CUevent event_ = nullptr;
};

class CudaGraph : public device::Graph {
 public:
  CudaGraph(CudaDevice& device, CUgraph graph) : device_(device) {
    size_t count = 0;
    driver().cuGraphGetNodes(graph, nullptr, &count);
    std::vector<CUgraphNode> nodes(count);
    driver().cuGraphGetNodes(graph, nodes.data(), &count);
    for (CUgraphNode node : nodes) {
      CUgraphNodeType type{};
      driver().cuGraphNodeGetType(node, &type);
      work_ += type == CU_GRAPH_NODE_TYPE_KERNEL || type == CU_GRAPH_NODE_TYPE_MEMCPY ||
               type == CU_GRAPH_NODE_TYPE_MEMSET;
    }
    const CUresult result = driver().cuGraphInstantiateWithFlags(&executable_, graph, 0);
    driver().cuGraphDestroy(graph);
    device_.check(result, "cuGraphInstantiate");
  }
  ~CudaGraph() override {
    const ContextScope scope(device_.context());
    driver().cuGraphExecDestroy(executable_);
  }
  void launch(device::Stream& stream) override {
    device_.require_usable();
    const ContextScope scope(device_.context());
    device_.check(driver().cuGraphLaunch(executable_, cuda_stream(stream).native()), "cuGraphLaunch");
    cuda_stream(stream).set_follows_kernel(false);
  }
  int work_nodes() const override { return work_; }

 private:
  CudaDevice& device_;
  CUgraphExec executable_ = nullptr;
  int work_ = 0;
};

}  // namespace

ContextScope::ContextScope(CUcontext context) {
  driver().cuCtxGetCurrent(&previous_);
  if (previous_ != context) check_driver(driver().cuCtxSetCurrent(context), "cuCtxSetCurrent");
}

ContextScope::~ContextScope() {
  if (previous_)
    driver().cuCtxSetCurrent(previous_);  // a thread without one keeps ours: switching costs a call each
}

CudaStream::~CudaStream() {
  if (!owned_) return;
  const ContextScope scope(device_.context());
  driver().cuStreamDestroy(stream_);
}

void CudaStream::synchronize() {
  device_.require_usable();
  const ContextScope scope(device_.context());
  device_.check(driver().cuStreamSynchronize(stream_), "cuStreamSynchronize", last_kernel_);
}

bool CudaStream::is_capturing() const {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  return driver().cuStreamIsCapturing(stream_, &status) == CUDA_SUCCESS &&
         status != CU_STREAM_CAPTURE_STATUS_NONE;
}

void CudaStream::record(device::Event& any) {
  CudaEvent& event = static_cast<CudaEvent&>(any);
  device_.check(driver().cuEventRecord(event.native(), stream_), "cuEventRecord");
  event.captured = is_capturing();
}

void CudaStream::wait(device::Event& any) {
  CudaEvent& event = static_cast<CudaEvent&>(any);
  // A graph (the caller's, who captures a session's run) cannot wait for what is not in it.
  if (!event.captured && is_capturing())
    device_.check(driver().cuEventSynchronize(event.native()), "cuEventSynchronize", last_kernel_);
  else
    device_.check(driver().cuStreamWaitEvent(stream_, event.native(), 0), "cuStreamWaitEvent");
  follows_kernel_ = false;
}

device::DeviceInfo describe_gpu(int index, const device::DeviceOptions& options) {
  CUdevice device = 0;
  check_driver(driver().cuDeviceGet(&device, index), "cuDeviceGet");
  char name[256] = {};
  check_driver(driver().cuDeviceGetName(name, sizeof name, device), "cuDeviceGetName");
  size_t memory = 0;
  check_driver(driver().cuDeviceTotalMem(&memory, device), "cuDeviceTotalMem");
  device::DeviceInfo info;
  info.backend = "cuda";
  info.index = index;
  info.name = name;
  const std::string own = arch_of(device).name();
  info.arch = options.arch.empty() ? own : Arch::parse(options.arch).name();
  info.elsewhere = info.arch != own;
  info.memory_bytes = static_cast<int64_t>(memory);
  info.tf32 = options.tf32;
  info.multiprocessors = attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  info.libraries = {{"driver", fmt::format("{}.{}", driver().version / 1000, driver().version % 1000 / 10)}};
  try {
    info.libraries.emplace_back("NVRTC", compiler_version());
  } catch (const Error&) {
    // Without it the device cannot be opened, which then says so; it is here all the same.
  }
  info.precisions = {"fp32", "tf32", "fp16", "bf16", "int8"};
  std::string key = fmt::format("{}.{}.driver{}", name, info.arch, driver().version);
  if (options.tf32) key += ".tf32";
  std::replace(key.begin(), key.end(), ' ', '_');
  info.tuning_key = key;
  return info;
}

CudaDevice::CudaDevice(int index, const device::DeviceOptions& options) : index_(index) {
  info_ = describe_gpu(index, options);
  info_.tuning_key += fmt::format(".nvrtc{}.kernels_{}", compiler_version(), kernels_hash);
  check_driver(driver().cuDeviceGet(&device_, index), "cuDeviceGet");
  arch_ = arch_of(device_);
  gpu_.arch = Arch::parse(info_.arch);
  gpu_.multiprocessors = attribute(device_, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  check_driver(driver().cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain");
}

CudaDevice::~CudaDevice() { driver().cuDevicePrimaryCtxRelease(device_); }

void CudaDevice::check(CUresult result, const char* what, const char* kernel) {
  if (result == CUDA_SUCCESS) return;
  if (is_sticky(result)) {
    std::lock_guard lock(mutex_);
    if (fault_.empty())
      fault_ = fmt::format("GPU {} ({}) is lost to this process: {}{}{} failed with {}", index_, info_.name,
                           kernel && *kernel
                               ? fmt::format("kernel '{}', or one enqueued shortly before it, ", kernel)
                               : std::string(),
                           kernel && *kernel ? "seen at " : "", what, error_text(result));
    fail("{}; use the CPU backend or start the process again", fault_);
  }
  fail("{}: {} on GPU {}", what, error_text(result), index_);
}

void CudaDevice::require_usable() const {
  std::lock_guard lock(mutex_);
  require(fault_.empty(), "{}; use the CPU backend or start the process again", fault_);
}

void* CudaDevice::allocate(size_t bytes) {
  require_usable();
  const ContextScope scope(context_);
  CUdeviceptr memory = 0;
  const CUresult result = driver().cuMemAlloc(&memory, std::max<size_t>(bytes, 1));
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    size_t free = 0, total = 0;
    driver().cuMemGetInfo(&free, &total);
    fail(
        "GPU {} ({}) has too little memory: {} were asked for, {} of {} are free; a smaller batch needs less",
        index_, info_.name, mib(bytes), mib(free), mib(total));
  }
  check(result, "cuMemAlloc");
  return reinterpret_cast<void*>(memory);
}

void CudaDevice::free(void* memory) {
  const ContextScope scope(context_);
  driver().cuMemFree(address(memory));
}

void CudaDevice::copy(void* to, const void* from, size_t bytes, device::Stream& stream) {
  if (bytes == 0) return;
  require_usable();
  const ContextScope scope(context_);
  CudaStream& cuda = cuda_stream(stream);
  check(driver().cuMemcpyAsync(address(to), address(from), bytes, cuda.native()), "cuMemcpyAsync",
        cuda.last_kernel());
  cuda.set_follows_kernel(false);
}

std::unique_ptr<device::Stream> CudaDevice::create_stream() {
  require_usable();
  const ContextScope scope(context_);
  CUstream stream = nullptr;
  check(driver().cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
  return std::make_unique<CudaStream>(*this, stream, true);
}

std::unique_ptr<device::Stream> CudaDevice::wrap_stream(void* native) {
  return std::make_unique<CudaStream>(*this, static_cast<CUstream>(native), false);
}

std::unique_ptr<device::Event> CudaDevice::create_event(bool timed) {
  require_usable();
  const ContextScope scope(context_);
  return std::make_unique<CudaEvent>(*this, timed);
}

std::unique_ptr<device::Graph> CudaDevice::capture(device::Stream& stream,
                                                   const std::function<void()>& body) {
  require_usable();
  const char* wanted = std::getenv("BURNISH_CUDA_GRAPHS");
  if (wanted && std::string(wanted) == "0") return nullptr;
  const ContextScope scope(context_);
  CudaStream& cuda = cuda_stream(stream);
  cuda.set_follows_kernel(false);
  check(driver().cuStreamBeginCapture(cuda.native(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture");
  CUgraph graph = nullptr;
  try {
    body();
  } catch (...) {
    driver().cuStreamEndCapture(cuda.native(), &graph);
    if (graph) driver().cuGraphDestroy(graph);
    cuda.set_follows_kernel(false);
    throw;
  }
  cuda.set_follows_kernel(false);
  check(driver().cuStreamEndCapture(cuda.native(), &graph), "cuStreamEndCapture");
  return std::make_unique<CudaGraph>(*this, graph);
}

void CudaDevice::execute(const std::function<void()>& body) {
  require_usable();
  const ContextScope scope(context_);
  body();
}

std::span<const device::Tactic* const> CudaDevice::tactics() const { return all_tactics(); }

double CudaDevice::measure(const std::function<void(device::Stream&, int)>& enqueue, int rotate,
                           double budget_us) {
  require_usable();
  const ContextScope scope(context_);
  return measure_on_gpu(*this, enqueue, rotate, budget_us);
}

}  // namespace burnish::cuda
