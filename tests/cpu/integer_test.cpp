#include <gtest/gtest.h>

#include <limits>

#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

/// Integers over the whole range of the type, its ends included.
Tensor any_bytes(DType dtype, const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor tensor(dtype, shape);
  auto* bytes = static_cast<uint8_t*>(tensor.raw());
  for (int64_t i = 0; i < tensor.size(); ++i) bytes[i] = static_cast<uint8_t>(random());
  for (int64_t i = 0; i < std::min<int64_t>(tensor.size(), 40); ++i)
    bytes[i] = dtype == DType::i8 ? (i % 2 ? 0x80 : 0x7f) : (i % 2 ? 0xff : 0);
  return tensor;
}

TEST(ByteProduct, IsExactForAllSizesAndTypes) {
  for_each_target([] {
    // Sizes around panels, groups and blocks of rows, and the depth of an exact sum of floats
    for (const int64_t rows : {1, 13, 50})
      for (const int64_t columns : {5, 33, 300})
        for (const int64_t depth : {1, 64, 515})
          for (const char* types : {"u8 i8", "i8 i8", "u8 u8", "i8 u8"}) {
            const std::string a(types, 2), b(types + 3, 2);
            CheckOptions options;
            options.inputs = {any_bytes(*parse_dtype(a), {rows, depth}, 1),
                              any_bytes(*parse_dtype(b), {depth, columns}, 2)};
            check_tactic(
                "simd.byte_matmul",
                fmt::format(
                    "graph problem(%x0: {3}[{0},{2}], %w1: {4}[{2},{1}], %x2: {3}[], %w3: {4}[{1}]) {{"
                    " %v0 = matmul_integer(%x0, %w1, %x2, %w3) : i32[{0},{1}] yield %v0 }}",
                    rows, columns, depth, a, b),
                options);
          }
  });
}

TEST(ByteProduct, TakesTheLargestSumsOfOneSign) {
  for_each_target([] {
    CheckOptions options;
    options.inputs = {Tensor(DType::u8, {3, 2000}), Tensor(DType::i8, {2000, 40})};
    std::fill_n(options.inputs[0].data<uint8_t>(), options.inputs[0].size(), uint8_t{255});
    std::fill_n(options.inputs[1].data<int8_t>(), options.inputs[1].size(), int8_t{-128});
    check_tactic("simd.byte_matmul",
                 "graph problem(%x0: u8[3,2000], %w1: i8[2000,40]) {"
                 " %v0 = matmul_integer(%x0, %w1) : i32[3,40] yield %v0 }",
                 options);
  });
}

TEST(ByteProduct, RunsWhatFollowsAsFloats) {
  const std::string head =
      "graph problem(%x0: u8[2,9,40], %w1: i8[40,300], %x2: u8[], %x4: f32[], %x5: f32[2,9,300]) {"
      " constant @c3: i8[] = {0} %v0 = matmul_integer(%x0, %w1, %x2, @c3) : i32[2,9,300] %v1 = cast(%v0) "
      "{to=f32} : f32[2,9,300] ";
  check_tactic("simd.byte_matmul",
               "graph problem(%x0: u8[2,9,40], %w1: i8[40,300], %x2: u8[]) {"
               " %v0 = matmul_integer(%x0, %w1, %x2) : i32[2,9,300] %v1 = cast(%v0) {to=f32} : f32[2,9,300] "
               "yield %v1 }");
  check_tactic("simd.byte_matmul",
               head + "%v2 = mul(%x4, %v1) : f32[2,9,300] %v3 = add(%x5, %v2) : f32[2,9,300] yield %v3 }");
  // Scales: of one number, of two, and of numbers along a row, which is no scale of the whole
  const std::string sides[] = {"%x4, %v1", "%v1, %x4"};
  for (const std::string& side : sides)
    check_tactic("simd.byte_matmul", head + "%v2 = mul(" + side + ") : f32[2,9,300] yield %v2 }");
  for (const char* end : {"yield %v3 }", "%v4 = relu(%v3) : f32[2,9,300] yield %v4 }"})
    check_tactic(
        "simd.byte_matmul",
        head + "constant @c6: f32[] = {0.3} %v2 = mul(%x4, @c6) : f32[] %v3 = mul(%v2, %v1) : f32[2,9,300] " +
            end);
  check_tactic("simd.byte_matmul",
               "graph problem(%x0: u8[9,40], %w1: i8[40,300], %w2: f32[300]) { %v0 = matmul_integer(%x0, "
               "%w1) : i32[9,300]"
               " %v1 = cast(%v0) {to=f32} : f32[9,300] %v2 = mul(%v1, %w2) : f32[9,300] yield %v2 }");
}

TEST(DynamicQuantize, FollowsTheRange) {
  for_each_target([] {
    for (const char* shape : {"1", "3,7", "2,33,5", "70000"})
      check_tactic(
          "simd.dynamic_quantize",
          fmt::format("graph problem(%x0: f32[{0}]) {{ %v0, %v1, %v2 = dynamic_quantize_linear(%x0) :"
                      " u8[{0}], f32[], u8[] yield %v0, %v1, %v2 }}",
                      shape));
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(),
                    inf = std::numeric_limits<float>::infinity();
    for (const std::vector<float>& values : {std::vector<float>(5, 0.0f),
                                             {1, 2, 3, 4, 5},
                                             {-1, -2, -3, -4, -5},
                                             {nan, 1, nan, -2, 0.5},
                                             {inf, 1, 0, -1, -2}}) {
      CheckOptions options;
      options.inputs = {Tensor::of<float>({5}, values)};
      check_tactic("simd.dynamic_quantize",
                   "graph problem(%x0: f32[5]) { %v0, %v1, %v2 = dynamic_quantize_linear(%x0) :"
                   " u8[5], f32[], u8[] yield %v0, %v1, %v2 }",
                   options);
    }
  });
}

}  // namespace
}  // namespace burnish::test
