// The backend "cpu": any x86-64, with oneDNN's primitives and SIMD kernels chosen at run time.
#include <cctype>

#include <hwy/highway.h>

#include "backends/cpu/executor.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/tactics.h"
#include "device/host_device.h"
#include "kernels_hash.h"

namespace burnish::cpu {
namespace {

/// Lower case, with one underscore for each run of other characters: fit for a key that is one word.
std::string as_word(const std::string& text) {
  std::string word;
  for (unsigned char c : text) {
    if (std::isalnum(c))
      word += static_cast<char>(std::tolower(c));
    else if (!word.empty() && word.back() != '_')
      word += '_';
  }
  while (!word.empty() && word.back() == '_') word.pop_back();
  return word;
}

device::DeviceInfo describe(int threads) {
  device::DeviceInfo info = device::host_info(threads);
  info.backend = "cpu";
  info.arch = onednn::instruction_set();
  info.libraries = {{"oneDNN", onednn::version()}, {"Highway", fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH)}};
  info.precisions = {"fp32", "int8"};  // integers are multiplied as they are; oneDNN widens bf16 where the chip has no products of it
  if (info.arch == "avx512_bf16" || info.arch == "amx") info.precisions.insert(info.precisions.begin() + 1, "bf16");
  info.tuning_key = fmt::format("{}.{}.onednn_{}.threads_{}.kernels_{}", as_word(info.name), info.arch,
                                onednn::version(), info.threads, kernels_hash);
  return info;
}

class CpuDevice : public device::HostDevice {
 public:
  explicit CpuDevice(int threads) : HostDevice(describe(threads)) {}

  void execute(const std::function<void()>& body) override { cpu::execute(info().threads, body); }
  std::span<const device::Tactic* const> tactics() const override { return cpu::tactics(); }
};

class CpuBackend : public device::Backend {
 public:
  std::string name() const override { return "cpu"; }
  std::vector<device::DeviceInfo> devices(std::string*) override { return {describe(0)}; }
  std::shared_ptr<device::Device> open(int, const device::DeviceOptions& options) override {
    return std::make_shared<CpuDevice>(options.threads);
  }
};

[[maybe_unused]] const bool registered = (device::register_backend(std::make_unique<CpuBackend>()), true);

}  // namespace
}  // namespace burnish::cpu
