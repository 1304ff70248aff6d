// A backend in one folder: the host's memory, a pool of threads, and one kernel of its own.
#include <array>

#include "base/parallel.h"
#include "device/host_device.h"

namespace burnish::example {

const device::Tactic& softsign_tactic();

namespace {

device::DeviceInfo describe(int threads) {
  device::DeviceInfo info = device::host_info(threads);
  info.backend = info.arch = "example";
  info.tuning_key = fmt::format("example.threads_{}", info.threads);  // all that measured times depend on
  return info;
}

class ExampleDevice : public device::HostDevice {
 public:
  explicit ExampleDevice(int threads) : HostDevice(describe(threads)), pool_(make_pool(info().threads)) {}
  void execute(const std::function<void()>& body) override {
    ParallelScope scope(*pool_);
    body();
  }
  std::span<const device::Tactic* const> tactics() const override {
    static const std::array<const device::Tactic*, 1> table = {&softsign_tactic()};  // best guess first
    return table;
  }

 private:
  std::unique_ptr<Parallel> pool_;
};

class ExampleBackend : public device::Backend {
 public:
  std::string name() const override { return "example"; }
  std::vector<device::DeviceInfo> devices(std::string*) override { return {describe(0)}; }
  std::shared_ptr<device::Device> open(int, const device::DeviceOptions& options) override {
    return std::make_shared<ExampleDevice>(options.threads);
  }
};

[[maybe_unused]] const bool registered = (device::register_backend(std::make_unique<ExampleBackend>()), true);

}  // namespace
}  // namespace burnish::example
