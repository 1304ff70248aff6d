// The whole pipeline on random graphs: what it computes stays what it was.
#include <gtest/gtest.h>

#include "../support/random_network.h"
#include "build/pipeline.h"
#include "ops/evaluate.h"

namespace burnish {
namespace {

TEST(Optimize, KeepsWhatRandomGraphsCompute) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    testing::RandomNetwork made(seed);
    const auto before = made.graph()->clone(), after = made.graph()->clone();
    rewrite::RewriteLog log;
    optimize(*after, {}, log);
    ir::verify(*after);
    const std::vector<Tensor> inputs = made.inputs(1 + static_cast<int64_t>(seed % 3));
    const auto expected = ops::evaluate(*before, inputs), actual = ops::evaluate(*after, inputs);
    ASSERT_EQ(expected.size(), actual.size());
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_LE(testing::difference_in_a_chain(actual[i], expected[i]), 1e-4)
          << ir::print(*before) << ir::print(*after);
  }
}

TEST(Optimize, StopsAfterTheLimit) {
  testing::RandomNetwork made(7);
  rewrite::RewriteLog all;
  optimize(*made.graph()->clone(), {}, all);
  for (int64_t limit = 0; limit <= all.taken(); ++limit) {
    const auto graph = made.graph()->clone();
    rewrite::RewriteLog log(limit);
    optimize(*graph, {}, log);
    EXPECT_EQ(log.taken(), limit);
    for (int64_t i = 0; i < limit; ++i)
      EXPECT_EQ(log.hits()[static_cast<size_t>(i)].where, all.hits()[static_cast<size_t>(i)].where);
  }
}

}  // namespace
}  // namespace burnish
