// Every op, by name.
#pragma once

#include <span>

#include "ops/list.h"
#include "ops/op_def.h"

namespace burnish::ops {

/// The ops themselves: `ops::def::relu`.
namespace def {
#define BURNISH_DECLARE(NAME) extern const OpDef NAME;
BURNISH_OPS(BURNISH_DECLARE)
#undef BURNISH_DECLARE
}  // namespace def

/// All ops in the order of the table.
std::span<const OpDef* const> all_ops();
/// Throws Error for an unknown name (a mistake in the caller: names come from our own code).
const OpDef& find_op(std::string_view name);
/// For ir::parse.
const ir::OpLookup& op_lookup();

}  // namespace burnish::ops
