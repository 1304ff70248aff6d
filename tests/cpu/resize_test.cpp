#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

void check_resize(const char* attributes, const char* x, const char* scales, const char* y) {
  check_tactic("simd.resize",
               fmt::format("graph problem(%x0: f32[{}]) {{ constant @c2: f32[{}] = {{{}}} %v0 = resize(%x0, "
                           "_, @c2) {{{}}} : f32[{}] yield %v0 }}",
                           x, std::count(x, x + std::strlen(x), ',') + 1, scales, attributes, y),
               {.relative = 1e-4, .absolute = 1e-4});
}

TEST(Resize, InEveryModeAndLayout) {
  for_each_target([] {
    check_resize("coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"", "2,32,5,7",
                 "1.0,1.0,2.0,2.0", "2,32,10,14");
    check_resize("mode=\"linear\"", "1,16,9,11", "1.0,1.0,1.5,2.0", "1,16,13,22");
    check_resize("mode=\"linear\", coordinate_transformation_mode=\"align_corners\"", "1,3,8,6",
                 "1.0,1.0,0.5,0.5", "1,3,4,3");
    check_resize("mode=\"cubic\"", "1,16,6,5", "1.0,1.0,3.0,1.0", "1,16,18,5");
    check_resize("mode=\"linear\", antialias=true", "1,2,16,16", "1.0,1.0,0.5,0.25", "1,2,8,4");
    check_resize("mode=\"linear\"", "2,5,9", "1.0,1.0,2.0", "2,5,18");
  });
}

}  // namespace
}  // namespace burnish::test
