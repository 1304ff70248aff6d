// One NVIDIA GPU behind the Device interface.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "cuda/compiler.h"
#include "cuda/driver.h"
#include "device/device.h"

namespace burnish::cuda {

class CudaDevice;
class Module;

/// Those that kernels have, by their code.
struct LoadedModules {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Module>> by_code;
};

/// What kernels are chosen and written for, which DeviceOptions::arch may set; needs no device to be there.
struct Gpu {
  Arch arch;
  int multiprocessors = 132;
};

/// Makes the device's context current on this thread for the life of the scope.
class ContextScope {
 public:
  explicit ContextScope(CUcontext context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;

 private:
  CUcontext previous_ = nullptr;
};

class CudaStream : public device::Stream {
 public:
  CudaStream(CudaDevice& device, CUstream stream, bool owned)
      : device_(device), stream_(stream), owned_(owned) {}
  ~CudaStream() override;
  void synchronize() override;
  void record(device::Event& event) override;
  void wait(device::Event& event) override;

  CUstream native() const { return stream_; }
  /// Whether what is enqueued becomes a part of a graph instead of running.
  bool is_capturing() const;
  CudaDevice& device() const { return device_; }

  /// Whether the work before on this stream is a kernel of ours, on which a dependent launch may follow.
  bool follows_kernel() const { return follows_kernel_; }
  void set_follows_kernel(bool value) { follows_kernel_ = value; }
  /// The kernel enqueued last, for messages about faults.
  void set_last_kernel(const char* name) { last_kernel_ = name; }
  const char* last_kernel() const { return last_kernel_; }

 private:
  CudaDevice& device_;
  CUstream stream_;
  bool owned_;
  bool follows_kernel_ = false;
  const char* last_kernel_ = "";
};

class CudaDevice : public device::Device, public std::enable_shared_from_this<CudaDevice> {
 public:
  CudaDevice(int index, const device::DeviceOptions& options);
  ~CudaDevice() override;

  const device::DeviceInfo& info() const override { return info_; }
  DeviceId id() const override { return {2, index_}; }
  void* allocate(size_t bytes) override;
  void free(void* memory) override;
  void copy(void* to, const void* from, size_t bytes, device::Stream& stream) override;
  std::unique_ptr<device::Stream> create_stream() override;
  std::unique_ptr<device::Stream> wrap_stream(void* native) override;
  std::unique_ptr<device::Event> create_event(bool timed) override;
  std::unique_ptr<device::Graph> capture(device::Stream& stream, const std::function<void()>& body) override;
  void execute(const std::function<void()>& body) override;
  std::span<const device::Tactic* const> tactics() const override;
  double measure(const std::function<void(device::Stream&, int)>& enqueue, int rotate,
                 double budget_us) override;

  CUcontext context() const { return context_; }
  const Gpu& gpu() const { return gpu_; }
  /// The chip's own.
  const Arch& arch() const { return arch_; }

  LoadedModules& loaded_modules() { return modules_; }

  /// Throws Error naming `what` unless the call went well. An error after which the context is lost is
  /// remembered with the kernel that was at work, and every later call is refused with it.
  void check(CUresult result, const char* what, const char* kernel = nullptr);
  /// Throws if an earlier kernel has lost the context.
  void require_usable() const;

 private:
  int index_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  Arch arch_;
  Gpu gpu_;
  device::DeviceInfo info_;
  LoadedModules modules_;
  mutable std::mutex mutex_;
  std::string fault_;
};

/// What is known of GPU `index` without making a context on it.
device::DeviceInfo describe_gpu(int index, const device::DeviceOptions& options = {});
/// Our tactics, best guess first.
std::span<const device::Tactic* const> all_tactics();

inline CudaStream& cuda_stream(device::Stream& stream) { return static_cast<CudaStream&>(stream); }
inline CudaDevice& cuda_device(device::Device& device) { return static_cast<CudaDevice&>(device); }

}  // namespace burnish::cuda
