#include <gtest/gtest.h>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

std::string list(const std::vector<int64_t>& numbers) {
  std::string text;
  for (int64_t n : numbers) text += (text.empty() ? "" : ",") + std::to_string(n);
  return text;
}

void check_transpose(const char* dtype, const Shape& shape, const std::vector<int64_t>& perm) {
  Shape result;
  for (int64_t axis : perm) result.push_back(shape[static_cast<size_t>(axis)]);
  check_tactic(
      "simd.transpose",
      fmt::format(
          "graph problem(%x0: {0}[{1}]) {{ %v0 = transpose(%x0) {{perm=[{2}]}} : {0}[{3}] yield %v0 }}",
          dtype, list(shape), list(perm), list(result)));
}

TEST(Move, TransposesAnything) {
  for_each_target([] {
    check_transpose("f32", {2, 37, 41, 3}, {0, 2, 3, 1});
    check_transpose("f32", {2, 7, 5, 67}, {0, 3, 1, 2});
    check_transpose("f32", {3, 5, 4, 9}, {0, 2, 1, 3});
    check_transpose("i64", {33, 70}, {1, 0});
    check_transpose("f16", {45, 3, 66}, {2, 1, 0});
    check_transpose("bool", {2, 3, 4, 5, 6}, {4, 2, 0, 3, 1});
    check_transpose("f32", {1, 1, 5}, {2, 0, 1});
    check_transpose("f32", {6}, {0});
    check_transpose("f32", {0, 4}, {1, 0});
  });
}

TEST(Move, ChangesLayouts) {
  const char* const layouts[] = {"", " nhwc", " c8", " c16"};
  for (const char* from : layouts) {
    for (const char* to : layouts) {
      const std::string text = fmt::format(
          "graph problem(%x0: f32[2,48,5,7]{}) {{ %v0 = reformat(%x0) : f32[2,48,5,7]{} yield %v0 }}", from,
          to);
      const device::Problem problem = device::Problem::parse(text);
      const auto device = device::open_device("cpu");
      if (!device::find_tactic(*device, "simd.reformat")->supports(problem, device->info())) continue;
      std::vector<ir::Layout> own = {problem.input(0).layout, problem.output(0).layout};
      CheckOptions options;
      options.layout_sets = {own};
      check_tactic("simd.reformat", text, options);
    }
  }
}

TEST(Move, ConcatenatesInAnyLayout) {
  check_tactic("simd.concat",
               "graph problem(%x0: f32[2,32,3,5], %x1: f32[2,16,3,5], %x2: f32[2,48,3,5]) { %v0 = "
               "concat(%x0, %x1, %x2) {axis=1} : f32[2,96,3,5] yield %v0 }");
  check_tactic("simd.concat",
               "graph problem(%x0: f32[2,16,3,5], %x1: f32[2,16,4,5]) { %v0 = concat(%x0, %x1) {axis=2} : "
               "f32[2,16,7,5] yield %v0 }");
  check_tactic("simd.concat",
               "graph problem(%x0: f32[2,32,3,5], %x1: f32[2,32,3,1]) { %v0 = concat(%x0, %x1) {axis=-1} : "
               "f32[2,32,3,6] yield %v0 }");
  check_tactic("simd.concat",
               "graph problem(%x0: f32[2,16,5], %x1: f32[1,16,5]) { %v0 = concat(%x0, %x1) {axis=0} : "
               "f32[3,16,5] yield %v0 }");
  check_tactic("simd.concat",
               "graph problem(%x0: f32[2,7,3,5], %x1: f32[2,1,3,5]) { %v0 = concat(%x0, %x1) {axis=1} : "
               "f32[2,8,3,5] yield %v0 }");
  check_tactic("simd.concat",
               "graph problem(%x0: i64[4,1], %x1: i64[4,2], %x2: i64[4,0]) { %v0 = concat(%x0, %x1, %x2) "
               "{axis=1} : i64[4,3] yield %v0 }");
}

}  // namespace
}  // namespace burnish::test
