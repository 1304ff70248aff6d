// The symbols of a problem as numbers, from the shapes of one run.
#pragma once

#include "device/tactic.h"

namespace burnish::device {

/// The values of the problem's symbols for which its inputs and outputs have the bound shapes: those that are
/// known, where they fit. Else a dimension that is an expression is inverted by trying the values of its symbol's
/// range; any that fits will do.
ir::Bindings bindings_of(const Problem& problem, const BindArguments& arguments);

}  // namespace burnish::device
