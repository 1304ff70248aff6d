// Kernels of libraries, which settle what they do when shapes are bound.
#pragma once

#include <memory>
#include <utility>

#include "cuda/device.h"
#include "device/bindings.h"
#include "device/tactic.h"

namespace burnish::cuda {

/// Makes a `Bound` of the problem at the shapes given, of the number that its candidate names (an algorithm,
/// a plan), and of the device.
template <class Bound>
class BoundAt : public device::Kernel {
 public:
  BoundAt(device::Problem problem, size_t choice, CudaDevice& device)
      : problem_(std::move(problem)), choice_(choice), device_(device) {}
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<Bound>(problem_.at(device::bindings_of(problem_, arguments)), choice_, device_);
  }

 private:
  device::Problem problem_;
  size_t choice_;
  CudaDevice& device_;
};

}  // namespace burnish::cuda
