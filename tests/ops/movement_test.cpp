#include "base/error.h"
#include "data_testing.h"

namespace burnish::ops::testing {
namespace {

TEST(Transpose, AgreesWithIndexing) {
  const Tensor x = counting<int32_t>({3, 5, 2, 7});
  const Tensor y = run(def::transpose, TransposeAttributes{{2, 0, 3, 1}}, {x});
  ASSERT_EQ(y.shape(), (Shape{2, 3, 7, 5}));
  for (int a = 0, at = 0; a < 2; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 7; ++c)
        for (int d = 0; d < 5; ++d, ++at) EXPECT_EQ(y.data<int32_t>()[at], ((b * 5 + d) * 2 + a) * 7 + c);
}

TEST(Transpose, ReversesByDefaultAndChecksPerm) {
  EXPECT_EQ(Inferred().input({"n", "3", "h"}).apply(def::transpose, TransposeAttributes{}).type(),
            "f32[h,3,n]");
  EXPECT_THROW(run(def::transpose, TransposeAttributes{{0, 0}}, {counting({2, 3})}), Error);
  EXPECT_THROW(run(def::transpose, TransposeAttributes{{0, 2}}, {counting({2, 3})}), Error);
}

TEST(Transpose, MovesEveryElementType) {
  for (DType dtype : {DType::f16, DType::f64, DType::i4, DType::boolean, DType::f8e4m3}) {
    Tensor x(dtype, {37, 41});
    auto* bytes = static_cast<uint8_t*>(x.raw());
    for (int64_t i = 0; i < x.bytes(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
    const Tensor back =
        run(def::transpose, TransposeAttributes{}, {run(def::transpose, TransposeAttributes{}, {x})});
    EXPECT_EQ(std::memcmp(back.raw(), x.raw(), static_cast<size_t>(x.bytes())), 0) << dtype_name(dtype);
  }
}

TEST(Expand, BroadcastsBothWays) {
  expect_tensor<float>(run(def::expand, {counting({3, 1}), vector_of({2, 1, 2})}), {2, 3, 2},
                       {0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
  EXPECT_EQ(Inferred().input({"n", "1"}).contents({"b", "1", "3"}).apply(def::expand).type(), "f32[b,n,3]");
  EXPECT_EQ(Inferred().contents({"n"}, true).constant(vector_of({2})).apply(def::expand).contents(), "n,n");
  EXPECT_THROW(run(def::expand, {counting({3}), vector_of({2})}), Error);
}

TEST(Tile, RepeatsEachDimension) {
  expect_tensor<float>(run(def::tile, {counting({2, 2}), vector_of({2, 3})}), {4, 6},
                       {0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3});
  EXPECT_EQ(Inferred().input({"n", "3"}).contents({"2", "m"}).apply(def::tile).type(), "f32[2*n,3*m]");
  EXPECT_EQ(run(def::tile, {counting({2}), vector_of({0})}).size(), 0);
}

TEST(DepthToSpace, InterleavesInBothModes) {
  const Tensor x = counting({1, 8, 1, 2});
  expect_tensor<float>(run(def::depth_to_space, BlockAttributes{2, "DCR"}, {x}), {1, 2, 2, 4},
                       {0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15});
  expect_tensor<float>(run(def::depth_to_space, BlockAttributes{2, "CRD"}, {x}), {1, 2, 2, 4},
                       {0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15});
  EXPECT_THROW(run(def::depth_to_space, BlockAttributes{3}, {x}), Error);
}

TEST(SpaceToDepth, UndoesDepthToSpace) {
  const Tensor x = counting({2, 12, 3, 5});
  for (const char* mode : {"DCR", "CRD"}) {
    const BlockAttributes blocks{2, mode};
    const Tensor y = run(def::space_to_depth, blocks, {run(def::depth_to_space, blocks, {x})});
    expect_tensor(y, x.shape(), values_of<float>(x));
  }
  EXPECT_EQ(Inferred().input({"n", "3", "2*h", "w"}).apply(def::space_to_depth, BlockAttributes{2}).type(),
            "f32[n,12,h,floor_div(w, 2)]");
}

TEST(Concat, JoinsAlongAnyAxis) {
  expect_tensor<float>(
      run(def::concat, AxisAttributes{-1}, {counting({2, 1}), counting({2, 0}), counting({2, 2})}), {2, 3},
      {0, 0, 1, 1, 2, 3});
  EXPECT_EQ(Inferred().contents({"n", "3"}).contents({"2*h"}).apply(def::concat, AxisAttributes{}).contents(),
            "n,3,2*h");
  EXPECT_EQ(Inferred().input({"n", "c"}).input({"n", "7"}).apply(def::concat, AxisAttributes{1}).type(),
            "f32[n,c + 7]");
  EXPECT_THROW(run(def::concat, AxisAttributes{0}, {counting({2, 1}), counting({2, 2})}), Error);
}

TEST(Split, TakesSizesOrEqualParts) {
  const Tensor x = counting({2, 5});
  const auto parts = run_all(def::split, ir::Attributes(SplitAttributes{1, 0}), {x, vector_of({1, 0, 4})}, 3);
  expect_tensor<float>(parts[0], {2, 1}, {0, 5});
  EXPECT_EQ(parts[1].size(), 0);
  expect_tensor<float>(parts[2], {2, 4}, {1, 2, 3, 4, 6, 7, 8, 9});
  const auto equal = run_all(def::split, ir::Attributes(SplitAttributes{1, 3}), {x}, 3);
  EXPECT_EQ(equal[1].shape(), (Shape{2, 2}));
  expect_tensor<float>(equal[2], {2, 1}, {4, 9});
  EXPECT_THROW(run_all(def::split, ir::Attributes(SplitAttributes{1, 0}), {x, vector_of({1, 1})}, 2), Error);
  EXPECT_EQ(Inferred().input({"n", "3*d"}).apply(def::split, SplitAttributes{1, 3}, 3).type(2), "f32[n,d]");
}

TEST(Slice, ClampsLikeNumPy) {
  const Tensor x = counting({10});
  const auto sliced = [&](int64_t start, int64_t end, int64_t step) {
    return values_of<float>(
        run(def::slice, {x, vector_of({start}), vector_of({end}), vector_of({0}), vector_of({step})}));
  };
  EXPECT_EQ(sliced(2, 9, 3), (std::vector<float>{2, 5, 8}));
  EXPECT_EQ(sliced(-3, 1000, 1), (std::vector<float>{7, 8, 9}));
  EXPECT_EQ(sliced(-1, std::numeric_limits<int64_t>::min(), -4), (std::vector<float>{9, 5, 1}));
  EXPECT_EQ(sliced(20, 0, -5), (std::vector<float>{9, 4}));
  EXPECT_EQ(sliced(5, 5, 1), (std::vector<float>{}));
  EXPECT_EQ(sliced(1, 9, std::numeric_limits<int64_t>::max()), (std::vector<float>{1}));
  EXPECT_THROW(sliced(0, 1, 0), Error);
}

TEST(Slice, SelectsInSeveralDimensions) {
  expect_tensor<float>(run(def::slice, {counting({2, 3, 4}), vector_of({1, 3}), vector_of({3, -5}),
                                        vector_of({1, -1}), vector_of({1, -2})}),
                       {2, 2, 2}, {7, 5, 11, 9, 19, 17, 23, 21});
}

TEST(Slice, InfersSymbolically) {
  const auto type = [](int64_t start, std::string end, int64_t step) {
    return Inferred()
        .input({"n"})
        .constant(vector_of({start}))
        .contents({end})
        .constant(vector_of({0}))
        .constant(vector_of({step}))
        .apply(def::slice)
        .type();
  };
  EXPECT_EQ(type(0, "9223372036854775807", 1), "f32[n]");
  EXPECT_EQ(type(1, "9223372036854775807", 1), "f32[max(0, n - 1)]");
  EXPECT_EQ(type(0, "-1", 1), "f32[max(0, n - 1)]");
  EXPECT_EQ(type(-2, "9223372036854775807", 1), "f32[min(2, n)]");
  EXPECT_EQ(type(0, "9223372036854775807", 2), "f32[ceil_div(n, 2)]");
  EXPECT_EQ(type(-1, "-9223372036854775807", -1), "f32[n]");
  EXPECT_EQ(type(0, "m", 1), "f32[min(m, n)]");
  EXPECT_EQ(type(0, "-n", 1), "f32[0]");
  EXPECT_EQ(Inferred().input({"n"}).contents({"-n"}).constant(vector_of({int64_t{1} << 31})).apply(def::slice).type(), "f32[n]");
  // A window as long as the image, counted from its end, up to a shift of nothing: a video transformer's mask.
  const std::string length = "floor_div(n - 2, 2) + 1";
  const auto tail = [&](std::string at, int64_t end) {
    return Inferred().input({length}).contents({std::move(at)}).constant(vector_of({end})).apply(def::slice).type();
  };
  EXPECT_EQ(tail("-floor_div(n - 2, 2) - 1", 0), "f32[max(0, min(0, " + length + "))]");
  EXPECT_EQ(tail("-floor_div(n - 2, 2) - 1", int64_t{1} << 31), "f32[max(0, " + length + ")]");
  EXPECT_NE(tail("-floor_div(m - 2, 2) - 1", 0).find("$"), std::string::npos);  // the run tells
  EXPECT_EQ(Inferred()
                .contents({"n", "3", "h", "w"})
                .constant(vector_of({2}))
                .constant(vector_of({4}))
                .apply(def::slice)
                .contents(),
            "h,w");
}

TEST(Slice, SymbolicLengthsEqualConcreteOnes) {
  for (int64_t dim = 0; dim < 6; ++dim)
    for (int64_t start = -7; start < 8; ++start)
      for (int64_t end = -7; end < 8; ++end)
        for (int64_t step : {-2, -1, 1, 3}) {
          const auto slice = [&](std::vector<std::string> shape) {
            return Inferred()
                .input(shape)
                .constant(vector_of({start}))
                .constant(vector_of({end}))
                .constant(vector_of({0}))
                .constant(vector_of({step}))
                .apply(def::slice)
                .type();
          };
          const std::string symbolic = slice({"n"}), concrete = slice({std::to_string(dim)});
          const std::string count = symbolic.substr(4, symbolic.size() - 5);
          EXPECT_EQ(fmt::format("f32[{}]", ir::Dim::parse(count).evaluate({{"n", dim}})), concrete)
              << dim << " " << start << " " << end << " " << step << " " << symbolic;
        }
}

TEST(Pad, FillsInEveryMode) {
  const Tensor x = counting({4}), pads = vector_of({2, 3});
  expect_tensor<float>(run(def::pad, PadAttributes{}, {x, pads, Tensor::scalar(9.f)}), {9},
                       {9, 9, 0, 1, 2, 3, 9, 9, 9});
  expect_tensor<float>(run(def::pad, PadAttributes{"reflect"}, {x, pads}), {9}, {2, 1, 0, 1, 2, 3, 2, 1, 0});
  expect_tensor<float>(run(def::pad, PadAttributes{"edge"}, {x, pads}), {9}, {0, 0, 0, 1, 2, 3, 3, 3, 3});
  expect_tensor<float>(run(def::pad, PadAttributes{"wrap"}, {x, pads}), {9}, {2, 3, 0, 1, 2, 3, 0, 1, 2});
  expect_tensor<float>(run(def::pad, PadAttributes{}, {x, vector_of({-1, 1})}), {4}, {1, 2, 3, 0});
  EXPECT_THROW(run(def::pad, PadAttributes{}, {x, vector_of({-3, -2})}), Error);
  constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  EXPECT_THROW(run(def::pad, PadAttributes{}, {x, vector_of({least, most})}), Error);
}

TEST(Pad, NamesAxes) {
  expect_tensor<float>(
      run(def::pad, PadAttributes{}, {counting({2, 2}), vector_of({1, 0}), Tensor(), vector_of({-1})}),
      {2, 3}, {0, 0, 1, 0, 2, 3});
  EXPECT_EQ(
      Inferred().input({"n", "h"}).contents({"0", "1", "0", "p"}).apply(def::pad, PadAttributes{}).type(),
      "f32[n,h + p + 1]");
}

TEST(CenterCropPad, KeepsTheMiddle) {
  expect_tensor<float>(run(def::center_crop_pad, AxesAttributes{}, {counting({5, 2}), vector_of({2, 5})}),
                       {2, 5}, {0, 2, 3, 0, 0, 0, 4, 5, 0, 0});
}

TEST(ReverseSequence, ReversesEachPrefix) {
  expect_tensor<float>(
      run(def::reverse_sequence, ReverseSequenceAttributes{0, 1}, {counting({2, 3, 2}), vector_of({2, 3})}),
      {2, 3, 2}, {2, 3, 0, 1, 4, 5, 10, 11, 8, 9, 6, 7});
  expect_tensor<float>(
      run(def::reverse_sequence, ReverseSequenceAttributes{1, 0}, {counting({3, 2}), vector_of({1, 3})}),
      {3, 2}, {0, 5, 2, 3, 4, 1});
  EXPECT_THROW(run(def::reverse_sequence, ReverseSequenceAttributes{}, {counting({3, 2}), vector_of({1, 4})}),
               Error);
}

TEST(Trilu, KeepsOneTriangle) {
  expect_tensor<float>(run(def::trilu, TriluAttributes{}, {counting({2, 3}), Tensor::scalar<int64_t>(1)}),
                       {2, 3}, {0, 1, 2, 0, 0, 5});
  expect_tensor<float>(run(def::trilu, TriluAttributes{false}, {counting({2, 3})}), {2, 3},
                       {0, 0, 0, 3, 4, 0});
}

}  // namespace
}  // namespace burnish::ops::testing
