// The pads of a `pad` op, for predicates and functions alike.
#pragma once

#include <optional>
#include <vector>

#include "rewrite/match.h"

namespace burnish::rules {

/// All begins, then all ends, one per dimension of `x`; nullopt where they are not constants.
std::optional<std::vector<int64_t>> known_pads(const rewrite::Match& match, ir::ValueId pads,
                                               ir::ValueId axes, ir::ValueId x);

}  // namespace burnish::rules
