// A problem's body with the shapes of one run.
#pragma once

#include "device/tactic.h"

namespace burnish::device {

/// A copy of the problem's body, with the same handles, whose dimensions are numbers: those of the inputs are
/// given, the rest follow. Unlike bindings_of() it need not solve for symbols, so any run's shapes will do.
/// Throws Error where a shape does not follow from the inputs' shapes and the body's literals.
std::shared_ptr<ir::Graph> concrete_body(const Problem& problem, const BindArguments& arguments);

/// Whether every symbol of the problem is a dimension of one of its inputs by itself, so that their shapes
/// tell it.
bool sizes_are_told(const Problem& problem);

}  // namespace burnish::device
