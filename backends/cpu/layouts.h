// Layouts that a problem's tensors have, and those worth trying.
#pragma once

#include "device/tactic.h"

namespace burnish::cpu {

/// Whether all tensors can be read along the order of output 0: outputs share its shape and layout, blocks
/// divide the channels, and what has lower rank is plain. For bodies whose inputs broadcast to the output.
Support follows_output(const device::Problem& problem);

/// The sets of layouts in which tensors with the shape and channels of output 0 share a layout and all others
/// are plain: channels last, the blocks that oneDNN takes here, and plain, as far as the shapes allow.
std::vector<std::vector<ir::Layout>> shared_layouts(const device::Problem& problem);

/// Whether all tensors are plain.
Support only_plain(const device::Problem& problem);

}  // namespace burnish::cpu
