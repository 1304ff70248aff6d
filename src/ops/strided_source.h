// Values that are another value's elements in another order: what kernels read and write in place of a
// transpose, a split or a slice.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace burnish::ops {

/// Element (i0, i1, ...) of a value is element `offset` + sum of i_d * strides[d] of `source`, counted in the
/// plain layout of `source`.
struct StridedSource {
  ir::ValueId source;
  ir::Dim offset = 0;
  std::vector<ir::Dim> strides;   ///< one per dimension of the value; 0 along dimensions of one
  std::vector<ir::NodeId> moves;  ///< the nodes between, from the source on
};

/// Follows `value` back through transposes, changes of shape, splits, slices and gathers at one constant
/// index, as far as its elements stay at such places; with no moves where that is nowhere.
StridedSource strided_source(const ir::Graph& graph, ir::ValueId value);

/// Where a kernel that makes `value` writes it, so that the transposes and changes of shape that lead from it
/// to `result` are done: element (i0, i1, ...) of `value` goes to sum of i_d * strides[d] of `result`. No
/// strides where there is no such way.
StridedSource strided_result(const ir::Graph& graph, ir::ValueId value, ir::ValueId result);

}  // namespace burnish::ops
