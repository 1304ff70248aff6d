// A graph in which every node has its kernel: what a build makes, an engine file holds, and sessions run.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "device/device.h"

namespace burnish::plan {

/// Off the host, kernels may read and write in pieces of this many bytes: every tensor starts at a multiple of it.
inline constexpr int64_t device_alignment = 16;

/// A run's steps are spread over no more streams than this.
inline constexpr int most_streams = 64;

struct Program {
  std::shared_ptr<ir::Graph> graph;
  std::shared_ptr<device::Device> device;
  /// By node index; empty tactic names for views and for what depends on weights alone.
  std::vector<device::Choice> choices;
  /// By node index; null where the choice is empty.
  std::vector<std::shared_ptr<const device::Kernel>> kernels;
  /// By node index: what each kernel computes; null where there is none.
  std::vector<std::shared_ptr<const device::Problem>> problems;
  /// By node index: the bodies of if, loop and scan, each a program of its own.
  std::map<int32_t, std::vector<std::shared_ptr<const Program>>> bodies;
  /// By value index: constants that the graph's run reads or gives back, on the device.
  std::map<int32_t, Tensor> constants;

  int streams = 1;        ///< the most that a run's steps are spread over
  bool prefetch = false;  ///< kernels ask for weights of those behind them, which find them in the cache

  const device::Choice& choice(ir::NodeId id) const { return choices[static_cast<size_t>(id.index)]; }
  const device::Kernel* kernel(ir::NodeId id) const { return kernels[static_cast<size_t>(id.index)].get(); }
};

/// True for if, loop and scan: the runtime runs their bodies itself.
bool is_control(const ir::Node& node);

/// True for nodes that never run: they depend on constants alone, so build() has evaluated them.
bool is_weight_node(const ir::Graph& graph, ir::NodeId id);

/// On the host memory is shared; elsewhere the tensor is copied over, in the stream's order.
Tensor to_device(const Tensor& tensor, device::Device& device, device::Stream& stream);

/// Loads every kernel of `choices` and puts packed weights on the device. Throws Error that names the node.
std::shared_ptr<Program> load_program(std::shared_ptr<ir::Graph> graph, std::vector<device::Choice> choices,
                                      std::map<int32_t, std::vector<std::shared_ptr<const Program>>> bodies,
                                      std::shared_ptr<device::Device> device);

}  // namespace burnish::plan
