// The ops that run on the CPU by the very loops of their reference kernels, on the plan's buffers without
// copies, and why that is as fast as it needs to be. Everything else has kernels of its own.
#pragma once

#include <span>
#include <string_view>

namespace burnish::cpu {

struct DirectOp {
  std::string_view name;
  std::string_view reason;
  bool sized_by_data = false;  ///< its results' shapes follow from more than shapes and host operands
};

std::span<const DirectOp> direct_ops();
/// Null for an op that is not in the table.
const DirectOp* find_direct_op(std::string_view name);

}  // namespace burnish::cpu
