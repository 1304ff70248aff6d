// A stretch of a program for one set of shapes: bound kernels, buffers, an arena.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plan/arena.h"
#include "plan/program.h"

namespace burnish::plan {

/// Where a value lies during a run.
struct Place {
  enum Kind : uint8_t {
    none,      ///< an omitted operand, or a weight that the kernel has packed
    arena,     ///< at `offset` in the session's arena
    external,  ///< at `offset` in the tensor that the session holds for value `value`
  };
  Kind kind = none;
  ir::ValueId value;
  int64_t offset = 0;
};

struct Step {
  ir::NodeId node;
  /// Null for a plain copy from inputs[0] to outputs[0] of `copy_bytes`.
  std::unique_ptr<device::BoundKernel> kernel;
  std::vector<Place> inputs, outputs;
  std::vector<device::BoundTensor> output_types;
  int64_t copy_bytes = 0;
  int64_t workspace_bytes = 0, workspace_offset = 0;
  bool fallback = false;
  int stream = 0;          ///< of the segment's; 0 is the caller's own
  std::vector<int> waits;  ///< steps of other streams that must end first
  bool awaited = false;    ///< a step of another stream waits for this one
};

/// What stopped a segment before the program's end.
struct Stop {
  size_t position = 0;  ///< index into the program's order of nodes; its size at the end
  /// Values that must be read on the host before planning can go on; empty at a node that makes its own outputs.
  std::vector<ir::ValueId> wanted;
};

/// One stretch of the arena and when it is in use.
struct ArenaBuffer {
  ir::ValueId value;  ///< the root of the values that lie in it; none for a kernel's workspace
  ir::NodeId node;    ///< whose workspace it is
  int64_t offset = 0, bytes = 0;
  int first = 0, last = 0;  ///< positions in the program's order, both included
};

struct Segment {
  std::vector<Step> steps;
  std::vector<ArenaBuffer> buffers;
  Stop stop;
  int streams = 1;  ///< that the steps run on
  /// Tensors that the session makes before the run: results of the graph, and what later segments read.
  std::map<int32_t, device::BoundTensor> escaping;
  /// Values that lie inside a tensor of the session's and that later segments read by their own name.
  struct View {
    int32_t root = 0;
    int64_t offset = 0;
    device::BoundTensor type;
  };
  std::map<int32_t, View> views;
  /// Constants made while planning (shapes that something reads as data).
  std::map<int32_t, Tensor> constants;
  /// What planning learned on the way, for runs that find this plan ready.
  ir::Bindings learned_symbols;
  std::map<int32_t, Tensor> learned_host;
  int64_t arena_bytes = 0, arena_lower_bound = 0, arena_values_bytes = 0, largest_workspace = 0;
};

/// What is known while a program runs with certain inputs.
struct Knowledge {
  ir::Bindings symbols;
  std::map<int32_t, Tensor> host;  ///< by value index: data that was read on the host
  /// By value index: shapes of values that exist already.
  std::map<int32_t, Shape> shapes;
};

/// Plans from node `position` of the order to the end, or to the first node that needs what is not known.
/// Throws Error that names the node.
Segment plan_segment(const Program& program, const std::vector<ir::NodeId>& order, size_t position, Knowledge& knowledge);

/// Binds the symbols in `dims` to `shape`; throws Error where a number differs.
void unify(const std::vector<ir::Dim>& dims, const Shape& shape, ir::Bindings& symbols);

}  // namespace burnish::plan
