// The backend "reference": no kernels of its own, so that every op runs on the naive kernels of src/ops.
#include "base/parallel.h"
#include "device/host_device.h"

namespace burnish::reference {
namespace {

device::DeviceInfo describe(int threads) {
  device::DeviceInfo info = device::host_info(threads);
  info.backend = "reference";
  info.arch = "reference";
  info.tuning_key = "reference";
  info.precisions = {"fp32"};
  return info;
}

class ReferenceDevice : public device::HostDevice {
 public:
  explicit ReferenceDevice(int threads) : HostDevice(describe(threads)), pool_(make_pool(info().threads)) {}

  void execute(const std::function<void()>& body) override {
    ParallelScope scope(*pool_);
    body();
  }
  std::span<const device::Tactic* const> tactics() const override { return {}; }

 private:
  std::unique_ptr<Parallel> pool_;
};

class ReferenceBackend : public device::Backend {
 public:
  std::string name() const override { return "reference"; }
  std::vector<device::DeviceInfo> devices(std::string*) override { return {describe(0)}; }
  std::shared_ptr<device::Device> open(int, const device::DeviceOptions& options) override {
    return std::make_shared<ReferenceDevice>(options.threads);
  }
};

[[maybe_unused]] const bool registered =
    (device::register_backend(std::make_unique<ReferenceBackend>()), true);

}  // namespace
}  // namespace burnish::reference
