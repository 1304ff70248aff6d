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

TEST(Move, SlicesFromAnyEndInAnyStep) {
  for (const char* type : {"bool", "f16", "f32", "i64"})
    check_tactic("simd.slice",
                 fmt::format("graph problem(%x0: {0}[5,7,9]) {{ constant @s: i64[3] = {{1, -1, -100}} "
                             "constant @e: i64[3] = {{-1, -7, 100}}"
                             " constant @a: i64[3] = {{0, 1, -1}} constant @t: i64[3] = {{1, -2, 3}}"
                             " %y = slice(%x0, @s, @e, @a, @t) : {0}[3,3,3] yield %y }}",
                             type));
  check_tactic("simd.slice",
               "graph problem(%x0: f32[3,4]) { constant @s: i64[1] = {4} constant @e: i64[1] = {2} constant "
               "@a: i64[1] = {1}"
               " %y = slice(%x0, @s, @e, @a) : f32[3,0] yield %y }");
  check_tactic("simd.slice",
               "graph problem(%x0: f32[70000]) { constant @s: i64[1] = {3} constant @e: i64[1] = {69999}"
               " %y = slice(%x0, @s, @e) : f32[69996] yield %y }");
}

TEST(Move, SplitsAlongAnyAxis) {
  check_tactic(
      "simd.slice",
      "graph problem(%x0: f32[3,7,5]) { constant @sizes: i64[3] = {2, 0, 5}"
      " %a, %b, %c = split(%x0, @sizes) {axis=1} : f32[3,2,5], f32[3,0,5], f32[3,5,5] yield %a, %b, %c }");
  check_tactic(
      "simd.slice",
      "graph problem(%x0: f16[3,4]) { %a, %b = split(%x0) {axis=-1} : f16[3,2], f16[3,2] yield %a, %b }");
}

TEST(Move, RepeatsWhatIsExpanded) {
  check_tactic("simd.slice",
               "graph problem(%x0: i64[7,1,3]) { constant @c1: i64[4] = {2,7,4,3} %v0 = expand(%x0, @c1) : "
               "i64[2,7,4,3] yield %v0 }");
  check_tactic("simd.slice",
               "graph problem(%x0: f32[]) { constant @c1: i64[2] = {129,3} %v0 = expand(%x0, @c1) : "
               "f32[129,3] yield %v0 }");
}

TEST(Move, PadsInEveryMode) {
  for (const char* mode : {"constant", "reflect", "edge", "wrap"})
    for (const char* type : {"f32", "u8", "f64"})
      check_tactic("simd.pad",
                   fmt::format("graph problem(%x0: {0}[4,5,3]) {{ constant @p: i64[4] = {{2, -1, 0, 3}} "
                               "constant @v: {0}[] = {{7}}"
                               " constant @a: i64[2] = {{0, 2}}"
                               " %y = pad(%x0, @p, @v, @a) {{mode=\"{1}\"}} : {0}[6,5,5] yield %y }}",
                               type, mode));
  check_tactic("simd.pad",
               "graph problem(%x0: f32[2,3], %x1: f32[]) { constant @p: i64[4] = {0, 1, 1, 0}"
               " %y = pad(%x0, @p, %x1) : f32[3,4] yield %y }");
  check_tactic("simd.pad",
               "graph problem(%x0: f32[4,9]) { constant @s: i64[2] = {7, 4} %y = center_crop_pad(%x0, @s) : "
               "f32[7,4] yield %y }");
}

TEST(ComposedMove, RollsAndCutsIntoWindows) {
  check_tactic(
      "simd.composed_move",
      "graph problem(%x0: f32[2,6,4,3]) { constant @zero: i64[1] = {0} constant @two: i64[1] = {2}"
      " constant @end: i64[1] = {99} constant @one: i64[1] = {1} constant @s: i64[6] = {0, 3, 2, 2, 2, 3}"
      " %a = slice(%x0, @zero, @two, @one) : f32[2,2,4,3] %b = slice(%x0, @two, @end, @one) : f32[2,4,4,3]"
      " %c = concat(%b, %a) {axis=1} : f32[2,6,4,3] %d = reshape(%c, @s) : f32[2,3,2,2,2,3]"
      " %e = transpose(%d) {perm=[0,1,3,2,4,5]} : f32[2,3,2,2,2,3] yield %e }");
}

TEST(ComposedMove, MovesSingleElementsOfAnyWidth) {
  for (const char* type : {"bool", "f16", "i32", "f64"})
    check_tactic(
        "simd.composed_move",
        fmt::format("graph problem(%x0: {0}[5,7]) {{ constant @sizes: i64[2] = {{3, 4}}"
                    " %a, %b = split(%x0, @sizes) {{axis=1}} : {0}[5,3], {0}[5,4]"
                    " %c = concat(%b, %a) {{axis=1}} : {0}[5,7] %d = transpose(%c) : {0}[7,5] yield %d }}",
                    type));
}

TEST(Transpose, BringsLayoutsAlong) {
  // channels last, [0,2,3,1] is where it lies already; the kernel copies all the same
  CheckOptions options;
  options.layout_sets = {{ir::Layout::nhwc, ir::Layout::plain},
                         {ir::Layout::plain, ir::Layout::nhwc},
                         {ir::Layout::nhwc, ir::Layout::nhwc}};
  for (const char* perm : {"[0,2,3,1]", "[0,3,1,2]", "[3,0,2,1]"}) {
    const std::string shape = std::string(perm) == "[0,2,3,1]"   ? "2,5,7,3"
                              : std::string(perm) == "[0,3,1,2]" ? "2,7,3,5"
                                                                 : "7,2,5,3";
    check_tactic(
        "simd.transpose",
        fmt::format(
            "graph problem(%x0: f32[2,3,5,7]) {{ %v0 = transpose(%x0) {{perm={}}} : f32[{}] yield %v0 }}",
            perm, shape),
        options);
  }
}

}  // namespace
}  // namespace burnish::test
