// The rule language and its driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/table.h"
#include "rules/library.h"

namespace burnish {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  try {
    rewrite::parse_rules("bad.rules", text, rules::vocabulary());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RuleLanguage, SaysWhereAMistakeIs) {
  EXPECT_THAT(error_of("rule a\n  match %y = frobnicate(%x)\n  emit %y = %x"),
              HasSubstr("bad.rules: line 2, column 14: unknown op 'frobnicate'"));
  EXPECT_THAT(error_of("rule a\n  match %y = relu(%x)\n  emit %z = %x"), HasSubstr("emit replaces no value"));
  EXPECT_THAT(error_of("rule a\n  match %y = relu(%x)\n  emit %y = relu(%q)"),
              HasSubstr("nothing is called %q"));
  EXPECT_THAT(error_of("rule a\n  match %y = relu(%x)\n  where odd(%x)\n  emit %y = %x"),
              HasSubstr("line 3, column 12: there is no predicate 'odd'"));
  EXPECT_THAT(error_of("rule a\n  match %y = relu(%x)\n  where rank(%x)\n  emit %y = %x"),
              HasSubstr("expected 2 arguments, found 1"));
  EXPECT_THAT(error_of("rule a match %y = relu(%x) {alpha=1} emit %y = %x"),
              HasSubstr("op 'relu' has no attribute 'alpha'"));
  EXPECT_THAT(error_of("rule a match %y = relu(%x, %z) emit %y = %x"), HasSubstr("fewer inputs"));
  EXPECT_THAT(error_of("rule a match %y = relu(%x emit %y = %x"), HasSubstr("expected ','"));
  EXPECT_THAT(error_of("rule a match %y = relu(%x) emit %y = leaky_relu(%x) {alpha=$a}"),
              HasSubstr("nothing is captured as $a"));
  EXPECT_THAT(error_of("match %y = relu(%x)"), HasSubstr("expected 'rule'"));
  EXPECT_THAT(error_of("rule a match %y = %x emit %y = %x"), HasSubstr("needs an op"));
}

struct Applied {
  std::shared_ptr<ir::Graph> graph;
  rewrite::RewriteLog log;
};

Applied rewritten(std::string_view rule_text, std::string_view graph_text, int64_t limit = -1) {
  const auto parsed = rewrite::parse_rules("test.rules", rule_text, rules::vocabulary());
  Applied applied{ir::parse(graph_text, ops::op_lookup()), rewrite::RewriteLog(limit)};
  rewrite::apply_rules(*applied.graph, rewrite::RuleSet(parsed), applied.log);
  return applied;
}

constexpr std::string_view silu_rule = "rule silu match %y = mul(%x, sigmoid(%x)) emit %y = silu(%x)";

TEST(Driver, AShapeThatNoTensorTellsIsANearMiss) {
  // Nothing is as long as 'u' alone, so that the shape [u + 1, 3] cannot be asked for.
  const auto [graph, log] = rewritten("rule expand_expand match %e = expand(%x, %s) %y = expand(%e, %u) emit %y = expand(%x, shape_of(%y))",
                                      R"(graph main(%x: f32[1,1], %r: f32[u + 1], %s: i64[2], %t: i64[2]) {
  %e = expand(%x, %s) : f32[u + 1,1]
  %y = expand(%e, %t) : f32[u + 1,3]
  yield %y
})");
  EXPECT_EQ(graph->order().size(), 2U);
  ASSERT_EQ(log.misses().size(), 1U);
  EXPECT_THAT(log.misses()[0].what, HasSubstr("no tensor has the dimension 'u' by itself"));
}

TEST(Driver, KeepsNamesAndSources) {
  const auto [graph, log] = rewritten(silu_rule, R"(graph main(%x: f32[n]) {
  %s = sigmoid(%x) : f32[n] from "Sigmoid_1"
  %y = mul(%s, %x) : f32[n] from "Mul_2"
  %z = relu(%y) : f32[n] from "Relu_3"
  yield out=%z
})");
  EXPECT_EQ(ir::print(*graph), R"(graph main(%x: f32[n]) {
  %y = silu(%x) : f32[n] from "Sigmoid_1, Mul_2"
  %z = relu(%y) : f32[n] from "Relu_3"
  yield out=%z
}
)");
  ASSERT_EQ(log.hits().size(), 1u);
  EXPECT_EQ(log.hits()[0].name, "silu");
  EXPECT_EQ(log.hits()[0].where, "Sigmoid_1, Mul_2");
}

TEST(Driver, RefusesWhenAnInnerValueHasAnotherUse) {
  const auto [graph, log] = rewritten(silu_rule, R"(graph main(%x: f32[n]) {
  %s = sigmoid(%x) : f32[n] from "Sigmoid_1"
  %y = mul(%s, %x) : f32[n] from "Mul_2"
  %z = relu(%s) : f32[n] from "Relu_3"
  yield %y, %z
})");
  EXPECT_TRUE(log.hits().empty());
  ASSERT_EQ(log.misses().size(), 1u);
  EXPECT_THAT(log.misses()[0].what, HasSubstr("'s' inside it is also used by relu 'Relu_3'"));
}

TEST(Driver, RefusesWhenAnInnerValueIsAnOutput) {
  const auto [graph, log] = rewritten(silu_rule, R"(graph main(%x: f32[n]) {
  %s = sigmoid(%x) : f32[n]
  %y = mul(%s, %x) : f32[n]
  yield %y, %s
})");
  EXPECT_TRUE(log.hits().empty());
  EXPECT_THAT(log.misses().at(0).what, HasSubstr("is an output of the model"));
}

TEST(Driver, SharedValuesMayHaveOtherUses) {
  const auto [graph, log] = rewritten("rule r match %t = relu(%x) %y = relu(%t) shared %t emit %y = relu(%x)",
                                      R"(graph main(%x: f32[n]) {
  %t = relu(%x) : f32[n]
  %y = relu(%t) : f32[n]
  yield %y, %t
})");
  EXPECT_EQ(log.hits().size(), 1u);
  EXPECT_EQ(graph->node_count(), 2u);
}

TEST(Driver, RefusesAChangeOfType) {
  const auto [graph, log] = rewritten("rule r match %y = mul(%x, 1) emit %y = %x", R"(graph main(%x: f32[n]) {
  constant @one: f32[1,1] = {1.0}
  %y = mul(%x, @one) : f32[1,n]
  yield %y
})");
  EXPECT_TRUE(log.hits().empty());
  EXPECT_THAT(log.misses().at(0).what, HasSubstr("'y' would become f32[n] instead of f32[1,n]"));
  EXPECT_EQ(graph->node_count(), 1u);
}

TEST(Driver, ReportsTheConditionOfANearMiss) {
  const auto [graph, log] =
      rewritten("rule r match %y = mul(%x, %c) where scalar(%c) emit %y = mul(%x, value(%c))",
                R"(graph main(%x: f32[2], %c: f32[2]) {
  %y = mul(%x, %c) : f32[2] from "Mul_7"
  yield %y
})");
  EXPECT_EQ(log.misses().at(0).where, "Mul_7");
  EXPECT_EQ(log.misses().at(0).what, "scalar: not a constant of one number");
}

constexpr std::string_view three_relus = R"(graph main(%x: f32[n]) {
  %a = relu(%x) : f32[n]
  %b = relu(%a) : f32[n]
  %c = relu(%b) : f32[n]
  %d = relu(%c) : f32[n]
  yield %d
})";

TEST(Driver, StopsAtTheLimit) {
  const std::string_view rule = "rule r match %y = relu(relu(%x)) emit %y = relu(%x)";
  EXPECT_EQ(rewritten(rule, three_relus).graph->node_count(), 1u);
  EXPECT_EQ(rewritten(rule, three_relus, 1).graph->node_count(), 3u);
  EXPECT_EQ(rewritten(rule, three_relus, 0).graph->node_count(), 4u);
}

TEST(Driver, InfinityInAPatternIsInfinityAlone) {
  const auto [graph, log] =
      rewritten("rule r match %y = maximum(%x, -inf) emit %y = %x", R"(graph main(%x: f32[2]) {
  constant @c: f32[] = {-0.5}
  %y = maximum(%x, @c) : f32[2]
  yield %y
})");
  EXPECT_TRUE(log.hits().empty());
}

TEST(Driver, SaysWhichRulesDoNotEnd) {
  const std::string_view endless =
      "rule there match %y = relu(%x) emit %y = leaky_relu(%x) "
      "rule back match %y = leaky_relu(%x) emit %y = relu(%x)";
  EXPECT_THROW(rewritten(endless, three_relus), Error);
}

TEST(Driver, SeveralOutputsAndOrder) {
  // The match replaces an inner value that a node in front of the root reads.
  const auto [graph, log] = rewritten(
      "rule r match %t = neg(%x) %y = abs(%t) emit %t = mul(%x, -1) %y = abs(%x)", R"(graph main(%x: f32[2]) {
  %t = neg(%x) : f32[2]
  %u = relu(%t) : f32[2]
  %y = abs(%t) : f32[2]
  yield %y, %u
})");
  EXPECT_EQ(log.hits().size(), 1u);
  ir::verify(*graph);
  EXPECT_EQ(graph->node_count(), 3u);
}

}  // namespace
}  // namespace burnish
