// Concatenations of channels without a kernel, where channels come last in memory.
#pragma once

#include <vector>

#include "tune/tuner.h"

namespace burnish::cover {

/// Lets kernels write the parts of channels-last concatenations where the whole lies, one part's channels of
/// a pixel behind the other's: the parts take the whole's pitch, and the plan makes them pieces of it. That
/// is done where the kernels chosen for all who write or read the parts take a pitch, agree with the
/// reference then, and together cost no more than with the concatenation, or so little that it does not
/// count. Their code is made again; `choices` are by node index. Gives the microseconds saved.
double interleave_concats(ir::Graph& graph, std::vector<device::Choice>& choices, tune::Tuner& tuner);

}  // namespace burnish::cover
