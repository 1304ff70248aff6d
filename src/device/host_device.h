// What devices that compute in host memory share: memory, streams, timing.
#pragma once

#include "device/device.h"

namespace burnish::device {

/// A device whose memory is the host's and whose streams run everything at once. Subclasses say where work
/// runs (execute) and with which tactics.
class HostDevice : public Device {
 public:
  explicit HostDevice(DeviceInfo info) : info_(std::move(info)) {}

  const DeviceInfo& info() const override { return info_; }
  DeviceId id() const override { return {}; }
  void* allocate(size_t bytes) override;
  void free(void* memory) override;
  void copy(void* to, const void* from, size_t bytes, Stream& stream) override;
  std::unique_ptr<Stream> create_stream() override;
  /// Throws Error: a CPU has no streams that a caller could own.
  std::unique_ptr<Stream> wrap_stream(void* native) override;
  /// Host clock, samples of at least 20 microseconds.
  double measure(const std::function<void(Stream&, int)>& enqueue, int rotate, double budget_us) override;

 private:
  DeviceInfo info_;
};

/// Of the machine that this runs on: the processor's name, its memory, and `threads` or, if 0, what the
/// process may use. `backend`, `arch` and `tuning_key` are left to the caller.
DeviceInfo host_info(int threads);

}  // namespace burnish::device
