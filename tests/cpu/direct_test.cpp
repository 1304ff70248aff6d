#include <gtest/gtest.h>

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

}  // namespace
}  // namespace burnish::test
