// Ops of the user's own that carry a device's code: which stay, and which are replaced by their references.
#pragma once

#include "build/program_builder.h"

namespace burnish::build_internal {

/// An op whose text the device takes stays if the kernel's result agrees with the reference's at opt (for another chip's
/// architecture: if it compiles). In place of any other come the reference's nodes, to be optimised like the rest; the
/// build's log says why, and the record has it among the rewrites. Bodies of if, loop and scan included.
void settle_user_ops(ir::Graph& graph, ProgramContext& context);

}  // namespace burnish::build_internal
