// Attributes of the ops that run other graphs. Bodies are closed: what they read from around them comes as
// inputs behind the others ("captures"), the same for every body of a node.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"

namespace burnish::ops {

/// True for if, loop and scan: the runtime runs their bodies as programs of their own. Bodies of other ops only say what
/// the op computes.
bool is_control(const ir::Op& op);

/// loop: inputs trip_count, condition, `carried` values, captures. The body takes iteration (i64 scalar),
/// condition, the carried values and the captures, and gives condition, carried values and what is stacked
/// along a new axis 0.
struct LoopAttributes {
  int64_t carried = 0;
  void visit(auto&& v) { v("carried", carried); }
};

/// scan: inputs `states` values, `num_scan_inputs` sequences, captures. The body takes states, one element of
/// each sequence and the captures, and gives states and the elements of the output sequences. Empty lists are
/// all zeros.
struct ScanAttributes {
  int64_t states = 0, num_scan_inputs = 0;
  std::vector<int64_t> scan_input_axes, scan_input_directions;  ///< direction 1: from the last element on
  std::vector<int64_t> scan_output_axes, scan_output_directions;
  void visit(auto&& v) {
    v("states", states);
    v("num_scan_inputs", num_scan_inputs);
    v("scan_input_axes", scan_input_axes);
    v("scan_input_directions", scan_input_directions);
    v("scan_output_axes", scan_output_axes);
    v("scan_output_directions", scan_output_directions);
  }
};

}  // namespace burnish::ops
