// From a match to the patch that its rule proposes.
#pragma once

#include <optional>
#include <string>

#include "ir/patch.h"
#include "rewrite/match.h"

namespace burnish::rewrite {

/// nullopt, with the reason, where a shape that is asked for has a dimension that no tensor tells. Throws
/// Error when a function of `emit` cannot compute what it is asked for.
std::optional<ir::Patch> make_patch(const Match& match, ir::NodeId root, std::string& why_not);

}  // namespace burnish::rewrite
