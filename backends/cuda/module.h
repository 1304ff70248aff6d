// Code that is loaded onto the device.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/device.h"

namespace burnish::cuda {

/// A loaded cubin, with its functions. Equal layers of a network share one.
class Module {
 public:
  /// The one of this code that the device holds already, if any kernel has it, else a new one.
  static std::shared_ptr<Module> of(CudaDevice& device, const std::string& cubin);
  Module(CudaDevice& device, const std::string& cubin);
  ~Module();
  Module(const Module&) = delete;

  /// May be launched with so much dynamic shared memory from now on.
  CUfunction function(const std::string& name, size_t shared_bytes);
  /// Puts all functions onto the device, which the driver would do at the first launch of each. Nothing with
  /// drivers that cannot, those before CUDA 12.4.
  void load_functions();

 private:
  struct Function {
    CUfunction handle = nullptr;
    size_t shared_bytes = 0;
  };

  CudaDevice& device_;
  CUmodule module_ = nullptr;
  std::mutex mutex_;
  bool all_loaded_ = false;
  std::map<std::string, Function> functions_;
};

}  // namespace burnish::cuda
