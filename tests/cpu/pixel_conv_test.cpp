#include <gtest/gtest.h>

#include <cmath>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

/// A convolution of `depth` channels to `columns` on pixels of shape `pixels`, with a bias, a prologue and an
/// epilogue or without.
void check_conv(const std::string& pixels, int64_t batch, int64_t depth, int64_t columns, bool prologue,
                bool epilogue, bool bias) {
  const std::string x = fmt::format("f32[{},{},{}]", batch, depth, pixels),
                    y = fmt::format("f32[{},{},{}]", batch, columns, pixels);
  std::string ones;
  for (char c : pixels) ones += c == ',' ? ",1" : "";
  std::string text = fmt::format("graph problem(%x0: {}, %w1: f32[{},{},1{}]", x, columns, depth, ones);
  if (bias) text += fmt::format(", %w2: f32[{}]", columns);
  if (prologue) text += fmt::format(", %w3: f32[1,{0},1{1}], %x4: f32[{2},{0},1{1}]", depth, ones, batch);
  if (epilogue) text += fmt::format(", %x5: {}, %w6: f32[{},1{}]", y, columns, ones);
  text += ") { ";
  if (prologue)
    text += fmt::format("%p0 = mul(%x0, %x4) : {0} %p1 = add(%p0, %w3) : {0} %p2 = relu(%p1) : {0} ", x);
  text += fmt::format("%v0 = conv({}, %w1{}) : {} ", prologue ? "%p2" : "%x0", bias ? ", %w2" : "", y);
  if (epilogue)
    text += fmt::format(
        "%v1 = sigmoid(%v0) : {0} %v2 = mul(%v0, %v1) : {0} %v3 = add(%v2, %x5) : {0} %v4 = mul(%v3, %w6) : "
        "{0} yield %v4 }}",
        y);
  else
    text += "yield %v0 }";
  CheckOptions options;
  // Roundings of `depth` products of up to 12, in another order than the reference's.
  options.absolute += 2e-6 * std::sqrt(static_cast<double>(depth));
  check_tactic("simd.pixel_conv", text, options);
}

TEST(PixelConv, WithAndWithoutWhatSurroundsIt) {
  for_each_target([] {
    for (const bool prologue : {false, true})
      for (const bool epilogue : {false, true})
        check_conv("5,7", 2, 48, 80, prologue, epilogue, prologue != epilogue);
  });
}

TEST(PixelConv, AnySizes) {
  check_conv("37,41", 1, 32, 16, true, true, true);  // several blocks of pixels
  check_conv("3,3", 1, 400, 272, true, true, true);  // deeper than a block, groups of columns
  check_conv("7,7", 1, 1040, 176, true, false, true);
  check_conv("5,3", 3, 7, 5, true, true, true);      // no blocks of channels
  check_conv("13", 1, 24, 40, false, true, false);   // one dimension
  check_conv("2,3,4", 1, 16, 32, true, true, true);  // three
  check_conv("1,1", 2, 33, 70, false, true, true);   // one pixel: plain
  check_conv("1,1", 1, 672, 28, false, true, true);
}

}  // namespace
}  // namespace burnish::test
