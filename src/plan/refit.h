// A program with other weights.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "plan/program.h"

namespace burnish::plan {

/// `program` with other data, of the same types, in the constants of these names; names that the graph does not hold are
/// passed over. What depends on them alone is evaluated and packed again; the rest is shared: plan, kernels, code, and
/// all other weights. A kernel whose problem spells out a number that changes is compiled and loaded anew, with the
/// candidate that was chosen. Nothing is timed.
std::shared_ptr<const Program> refit(const Program& program, const std::map<std::string, Tensor>& constants);

}  // namespace burnish::plan
