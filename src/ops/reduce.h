// Attributes of reductions.
#pragma once

#include <cstdint>
#include <vector>

namespace burnish::ops {

struct ReduceAttributes {
  std::vector<int64_t> axes;  ///< input 1, where given, overrides it; empty: all axes
  bool keepdims = true;
  bool noop_with_empty_axes = false;  ///< no axes at all: reduce nothing instead of everything
  void visit(auto&& v) {
    v("axes", axes);
    v("keepdims", keepdims);
    v("noop_with_empty_axes", noop_with_empty_axes);
  }
};

struct ArgReduceAttributes {
  int64_t axis = 0;
  bool keepdims = true;
  bool select_last_index = false;  ///< of equal elements
  void visit(auto&& v) {
    v("axis", axis);
    v("keepdims", keepdims);
    v("select_last_index", select_last_index);
  }
};

}  // namespace burnish::ops
