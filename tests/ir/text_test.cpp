#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "ir/attribute_value.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish {
namespace {

using ir::Dim;

TEST(Dim, KeepsSumsInCanonicalForm) {
  const Dim n = Dim::symbol("n"), h = Dim::symbol("h");
  EXPECT_EQ((n + 1) * (h - 2), h * n - 2 * n + h - 2);
  EXPECT_EQ((n * h * 4).str(), "4*h*n");
  EXPECT_EQ(floor_div(n * 768, Dim(768)), n);
  EXPECT_EQ(floor_div(n * h, h), n);
  EXPECT_EQ((n - n).constant(), 0);
}

TEST(Dim, ParsesWhatItPrints) {
  for (const char* text :
       {"3", "n", "2*h*n - 1", "floor_div(h - 1, 2) + 1", "broadcast(a, b)", "-n + 4", "max(2*b, a)"}) {
    const Dim dim = Dim::parse(text);
    EXPECT_EQ(Dim::parse(dim.str()), dim) << text;
    EXPECT_EQ(dim.str(), text);
  }
  EXPECT_THROW(Dim::parse("n +"), Error);
  EXPECT_THROW(Dim::parse("99999999999999999999"), Error);
}

TEST(Dim, EvaluatesLikePythonsFloorDivision) {
  EXPECT_EQ(Dim::parse("floor_div(h - 1, 2) + mod(h, 3)").evaluate({{"h", 7}}), 4);
  EXPECT_EQ(Dim::parse("broadcast(a, b)").evaluate({{"a", 1}, {"b", 5}}), 5);
  EXPECT_THROW(Dim::parse("broadcast(a, b)").evaluate({{"a", 2}, {"b", 5}}), Error);
  EXPECT_THROW(Dim::parse("q").evaluate({}), Error);
}

TEST(Type, ParsesThePitchThatItPrints) {
  const std::string text = "graph g(%x: f16[n,64,5,3] nhwc/128, %y: f32[1,4,7] nhwc) {\n  yield %x, %y\n}\n";
  const auto graph = ir::parse(text, ops::op_lookup());
  const ir::TensorType &x = graph->value(graph->inputs()[0]).type, &y = graph->value(graph->inputs()[1]).type;
  EXPECT_EQ(x.pitch, 128);
  EXPECT_EQ(x.str(), "f16[n,64,5,3] nhwc/128");
  EXPECT_EQ(y.pitch, 0);
  ir::TensorType dense = x;
  dense.pitch = 0;
  EXPECT_FALSE(dense == x);
  EXPECT_EQ(ir::print(*ir::parse(ir::print(*graph), ops::op_lookup())), ir::print(*graph));
  // Five pixels of 64 channels each, to the last of them; nothing of nothing.
  EXPECT_EQ(ir::storage_bytes(DType::f16, {1, 64, 5, 1}, ir::Layout::nhwc, 128), (4 * 128 + 64) * 2);
  EXPECT_EQ(ir::storage_bytes(DType::f16, {0, 64, 5, 1}, ir::Layout::nhwc, 128), 0);
}

TEST(Type, RefusesPitchesThatAreNone) {
  for (const char* type :
       {"f16[n,64,5,3]/128", "f16[n,64,5,3] c8/128", "f16[n,64,5,3] nhwc/64", "f16[n,64,5,3] nhwc/-1",
        "f16[n,64,5,3] nhwc/1e30", "f16[n,64,5,3] nhwc/", "f16[n,c,5,3] nhwc/128", "f16[64,3] nhwc/128",
        "f16[n,64,5,3] nhwc/100.5", "f16[n,64,5,3] nhwc/nan"})
    EXPECT_THROW(ir::parse(fmt::format("graph g(%x: {}) {{\n  yield %x\n}}\n", type), ops::op_lookup()),
                 Error)
        << type;
}

constexpr std::string_view small_graph = R"(graph main(%x: f32[n,4]) {
  symbol n 1 4 8
  constant @half: f32[] = {0.5}
  %y = mul(%x, @half) : f32[n,4] from "Mul_0"
  %z = leaky_relu(%y) {alpha=0.2} : f32[n,4]
  yield out=%z
}
)";

TEST(Dim, KnowsThatSizesAreNeverNegative) {
  const Dim n = Dim::symbol("n"), h = Dim::symbol("h");
  EXPECT_EQ(max(Dim(0), 2 * n + floor_div(h, 3)), 2 * n + floor_div(h, 3));
  EXPECT_EQ(min(n, n + h), n);
  EXPECT_EQ(max(Dim(0), n - 1).str(), "max(0, n - 1)");
  EXPECT_FALSE((n - h).never_negative());
  EXPECT_TRUE(max(Dim(0), n - h).never_negative());
}

TEST(Dim, RefusesProductsThatAreTooLongBeforeItMergesThem) {
  const Dim sum = Dim::symbol("a") + Dim::symbol("b") + 1;
  Dim power = 1;
  for (int i = 0; i < 20; ++i) power = power * sum;
  EXPECT_EQ(power.evaluate({{"a", 1}, {"b", 0}}), 1 << 20);
  EXPECT_THROW(power * power, Error);  // 53,361 terms, of which 861 differ
}

TEST(Text, PrintsWhatItParses) {
  const auto graph = ir::parse(small_graph, ops::op_lookup());
  ir::verify(*graph);
  EXPECT_EQ(ir::print(*graph), small_graph);
}

TEST(Text, StringsOfAnyBytesPrintAsUtf8) {
  EXPECT_EQ(ir::quoted("\u00e9 \u20ac \U0001f600"), "\"\u00e9 \u20ac \U0001f600\"");
  EXPECT_EQ(ir::quoted("\xff("), "\"\\xff(\"");
  EXPECT_EQ(ir::quoted("\xc3("), "\"\\xc3(\"");                           // cut short
  EXPECT_EQ(ir::quoted("\xe2\x82"), "\"\\xe2\\x82\"");                    // at the end
  EXPECT_EQ(ir::quoted("\xc0\xaf"), "\"\\xc0\\xaf\"");                    // longer than need be
  EXPECT_EQ(ir::quoted("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");           // half of a surrogate pair
  EXPECT_EQ(ir::quoted("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"");  // beyond U+10FFFF
}

TEST(Text, SaysLineAndColumnOfAMistake) {
  try {
    ir::parse("graph main(%x: f32[2]) {\n  %y = frobnicate(%x) : f32[2]\n  yield %y\n}", ops::op_lookup());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("frobnicate"), std::string::npos) << error.what();
  }
}

TEST(Attributes, NoToleranceReachesInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(ir::same_attribute(-infinity, 0.0));
  EXPECT_TRUE(ir::same_attribute(infinity, infinity));
  EXPECT_TRUE(ir::same_attribute(1.0, 1.0 + 1e-9));
}

TEST(Infer, OutputsThatNobodyWantsHaveSizesOfTheirOwn) {
  const auto graph = ir::parse(R"(graph main(%x: f32[4], %z: f32[4]) {
  _, %a = unique(%x) : _, i64[n]
  _, %b = unique(%z) : _, i64[m]
  yield a=%a, b=%b
}
)", ops::op_lookup());
  ops::infer(*graph);
  const auto size_of = [&](size_t i) { return graph->value(graph->outputs[i].value).type.shape.at(0); };
  EXPECT_NE(size_of(0), size_of(1));
  const Dim before = size_of(0);
  ops::infer(*graph);
  EXPECT_EQ(size_of(0), before);
}

TEST(Evaluate, RunsAGraphOnTheReference) {
  const auto graph = ir::parse(small_graph, ops::op_lookup());
  const Tensor x = Tensor::of<float>({2, 4}, {1, -1, 2, -2, 3, -3, 4, -4});
  const auto outputs = ops::evaluate(*graph, std::vector<Tensor>{x});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_FLOAT_EQ(outputs[0].data<float>()[0], 0.5f);
  EXPECT_FLOAT_EQ(outputs[0].data<float>()[1], -0.1f);
}

}  // namespace
}  // namespace burnish
