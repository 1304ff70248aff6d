// Every rule by itself: both sides of it on random tensors.
#include <gtest/gtest.h>

#include "ops/evaluate.h"
#include "random_graph.h"
#include "rules/library.h"

namespace burnish {
namespace {

using rewrite::Rule;

std::vector<const Rule*> all_rules() {
  std::vector<const Rule*> rules;
  for (const rules::RuleFile& file : rules::rule_files())
    for (const Rule* rule : rules::rule_set(file.name).all()) rules.push_back(rule);
  return rules;
}

double tolerance(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 ? 2e-5 : is_floating(dtype) ? 2e-2 : 0;
}

std::vector<Tensor> random_inputs(const ir::Graph& graph, const rewrite::Test& test,
                                  const ir::Bindings& sizes, std::mt19937& random) {
  std::vector<Tensor> inputs;
  for (ir::ValueId id : graph.inputs()) {
    const ir::Value& value = graph.value(id);
    bool is_positive = false;
    for (const rewrite::TestValue& described : test.values)
      is_positive = is_positive || (described.is_positive && described.type.dtype == value.type.dtype);
    inputs.push_back(
        testing::random_tensor(value.type.dtype, ir::evaluate(value.type.shape, sizes), is_positive, random));
  }
  return inputs;
}

class EachRule : public ::testing::TestWithParam<const Rule*> {};

TEST_P(EachRule, KeepsWhatTheGraphComputes) {
  const Rule& rule = *GetParam();
  ASSERT_FALSE(rule.tests.empty()) << "rule '" << rule.name << "' has no test line";
  for (size_t line = 0; line < rule.tests.size(); ++line) {
    for (unsigned seed = 0; seed < 16; ++seed) {
      const bool symbolic = seed % 2 == 1;
      SCOPED_TRACE(
          fmt::format("test line {}, seed {}{}", line + 1, seed, symbolic ? ", symbolic shapes" : ""));
      std::mt19937 random(seed);
      const rewrite::Test& test = rule.tests[line];
      const ir::Bindings sizes = testing::random_sizes(test, random);
      const auto graph = testing::graph_of(rule, test, sizes, symbolic, random);
      const auto before = graph->clone();
      rewrite::RuleSet alone;
      alone.add(rule);
      rewrite::RewriteLog log;
      rewrite::apply_rules(*graph, alone, log);
      ASSERT_GT(log.taken(), 0) << "the rule does not fit\n"
                                << ir::print(*before) << (log.misses().empty() ? "" : log.misses()[0].what);
      const auto inputs = random_inputs(*before, test, sizes, random);
      const auto expected = ops::evaluate(*before, inputs), actual = ops::evaluate(*graph, inputs);
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_LE(testing::largest_difference(actual[i], expected[i]), tolerance(expected[i].dtype()))
            << ir::print(*before) << ir::print(*graph);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, EachRule, ::testing::ValuesIn(all_rules()),
                         [](const auto& info) { return info.param->name; });

}  // namespace
}  // namespace burnish
