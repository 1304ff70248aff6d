// The entry points of libburnish_cuda.so.
#include "cuda/device.h"

namespace burnish::cuda {
namespace {

class CudaBackend : public device::Backend {
 public:
  std::string name() const override { return "cuda"; }

  std::vector<device::DeviceInfo> devices(std::string* problem) override {
    std::vector<device::DeviceInfo> found;
    try {
      int count = 0;
      check_driver(driver().cuDeviceGetCount(&count), "cuDeviceGetCount");
      for (int i = 0; i < count; ++i) found.push_back(describe_gpu(i));
      if (count == 0 && problem) *problem = "NVIDIA's driver shows no GPU";
    } catch (const Error& error) {
      if (problem) *problem = error.what();
    }
    return found;
  }

  std::shared_ptr<device::Device> open(int index, const device::DeviceOptions& options) override {
    return std::make_shared<CudaDevice>(index, options);
  }
};

}  // namespace
}  // namespace burnish::cuda

extern "C" __attribute__((visibility("default"))) int burnish_backend_version() {
  return burnish::device::interface_version;
}
extern "C" __attribute__((visibility("default"))) burnish::device::Backend* burnish_backend_make() {
  return new burnish::cuda::CudaBackend;
}
