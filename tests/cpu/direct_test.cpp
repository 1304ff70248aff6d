#include <gtest/gtest.h>

#include <set>

#include "backends/cpu/direct_ops.h"
#include "ops/table.h"
#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

TEST(Direct, RunsOnThePlansBuffers) {
  check_tactic("direct",
               "graph problem(%x0: f32[2,3,5], %x1: f32[2,4,5]) { %v0 = concat(%x0, %x1) {axis=1} : "
               "f32[2,7,5] yield %v0 }");
  check_tactic("direct",
               "graph problem(%x0: i64[7,1,3]) { constant @c1: i64[3] = {7,4,3} %v0 = expand(%x0, @c1) : "
               "i64[7,4,3] yield %v0 }");
  check_tactic("direct",
               "graph problem(%x0: f16[1,8,3,2]) { %v0 = depth_to_space(%x0) {blocksize=2} : f16[1,2,6,4] "
               "yield %v0 }");
}

/// Ops whose bodies the runtime runs by itself, and what only ever holds other ops.
bool is_structure(const ops::OpDef& op) { return op.bodies > 0; }

TEST(Direct, OrAnotherTacticRunsEveryOp) {
  const std::set<std::string_view> own = {"reformat"};  // simd.reformat, onednn.reformat
  for (const ops::OpDef* op : ops::all_ops())
    EXPECT_TRUE(op->expression || is_structure(*op) || own.contains(op->name) ||
                cpu::find_direct_op(op->name))
        << op->name
        << " would run on the fallback: give it a kernel, or a line in direct_ops.cpp with a reason";
}

}  // namespace
}  // namespace burnish::test
