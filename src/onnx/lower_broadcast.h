// Broadcasting as it was before opset 7.
#pragma once

#include "ir/graph.h"

namespace burnish::onnx {

class Lower;

/// The second input with dimensions of 1 behind, so that its own start at the attribute `axis` of the first.
ir::ValueId align_old_broadcast(Lower& node, ir::ValueId a, ir::ValueId b);

}  // namespace burnish::onnx
