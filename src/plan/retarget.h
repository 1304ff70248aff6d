// A saved program on another chip than the one it was built for.
#pragma once

#include <string>
#include <vector>

#include "device/device.h"

namespace burnish::plan {

/// For each node whose kernel `device` cannot run as saved, takes the first tactic of the device's table that supports it
/// and packs the weights again; where none does, the region's parts run one by one, at worst on the reference.
/// `repack` packs all weights anew (they were packed for another instruction set). Nothing is timed. Gives one line per
/// change, for the log.
std::vector<std::string> retarget(ir::Graph& graph, std::vector<device::Choice>& choices, device::Device& device, bool repack);

}  // namespace burnish::plan
