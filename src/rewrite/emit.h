// From a match to the patch that its rule proposes.
#pragma once

#include "ir/patch.h"
#include "rewrite/match.h"

namespace burnish::rewrite {

/// Throws Error when a function of `emit` cannot compute what it is asked for.
ir::Patch make_patch(const Match& match, ir::NodeId root);

}  // namespace burnish::rewrite
