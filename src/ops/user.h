// Ops of the user's own. Each carries a body that says what it computes, or for a function of the host's what types its
// results have.
#pragma once

#include <burnish/tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace burnish::ops {

/// user_pointwise and user_kernel: the body is the reference; where a device takes the text, that is what runs.
struct UserAttributes {
  std::string name;     ///< of the op, and of the function that the text defines
  std::string cuda;     ///< CUDA C++, for the CUDA backend alone (its body_text.h and user_kernel.cpp)
  int64_t threads = 0;  ///< of a block of a user_kernel
  void visit(auto&& v) {
    v("name", name);
    v("cuda", cuda);
    v("threads", threads);
  }
};

/// host_function: calls a function of this process; of the body only the types count.
struct HostFunctionAttributes {
  std::string name;
  int64_t id = 0;  ///< what add_host_function() gave
  void visit(auto&& v) {
    v("name", name);
    v("id", id);
  }
};

/// Reads host tensors in plain layout and fills such tensors of the declared types. It may be called from any thread.
using HostFunction = std::function<void(std::span<const Tensor> inputs, std::span<Tensor> outputs)>;

/// Keeps the function until the process ends, and gives the id by which nodes call it.
int64_t add_host_function(HostFunction function);

}  // namespace burnish::ops
