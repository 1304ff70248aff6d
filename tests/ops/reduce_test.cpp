#include "ops/reduce.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "op_testing.h"
#include "ops/indexing.h"

namespace burnish::ops::testing {
namespace {

using Fold = std::function<double(const std::vector<double>&)>;

double sum_of(const std::vector<double>& x, double (*f)(double)) {
  double sum = 0;
  for (double value : x) sum += f(value);
  return sum;
}
double same(double x) { return x; }
double square(double x) { return x * x; }

const std::vector<std::pair<const OpDef*, Fold>> folds = {
    {&def::reduce_sum, [](const auto& x) { return sum_of(x, same); }},
    {&def::reduce_mean, [](const auto& x) { return sum_of(x, same) / static_cast<double>(x.size()); }},
    {&def::reduce_max, [](const auto& x) { return *std::max_element(x.begin(), x.end()); }},
    {&def::reduce_min, [](const auto& x) { return *std::min_element(x.begin(), x.end()); }},
    {&def::reduce_prod,
     [](const auto& x) { return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>()); }},
    {&def::reduce_l1, [](const auto& x) { return sum_of(x, std::fabs); }},
    {&def::reduce_l2, [](const auto& x) { return std::sqrt(sum_of(x, square)); }},
    {&def::reduce_sum_square, [](const auto& x) { return sum_of(x, square); }},
    {&def::reduce_log_sum, [](const auto& x) { return std::log(sum_of(x, same)); }},
    {&def::reduce_log_sum_exp, [](const auto& x) { return std::log(sum_of(x, std::exp)); }},
};

TEST(Reduce, AgreesWithItsDefinitionOverAnyAxes) {
  for (unsigned seed = 0; seed < 80; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto& [op, fold] = folds[seed % folds.size()];
    ReduceAttributes attributes;
    attributes.keepdims = random() % 2 == 0;
    const int64_t rank = random_integer(random, 1, 4);
    Shape shape, kept, result;
    for (int64_t d = 0; d < rank; ++d) {
      shape.push_back(random_integer(random, 1, 5));
      const bool reduced = random() % 2 == 0;
      if (reduced) attributes.axes.push_back(random() % 2 ? d : d - rank);
      kept.push_back(reduced ? 1 : shape.back());
      if (!reduced || attributes.keepdims) result.push_back(kept.back());
    }
    attributes.noop_with_empty_axes = true;
    const Tensor x = random_tensor(shape, random, 0.1f, 2);
    std::vector<std::vector<double>> groups(static_cast<size_t>(element_count(kept)));
    for (int64_t i = 0; i < x.size(); ++i) {
      const Shape at = unravel(i, shape);
      int64_t group = 0;
      for (size_t d = 0; d < at.size(); ++d) group = group * kept[d] + (kept[d] == 1 ? 0 : at[d]);
      groups[static_cast<size_t>(group)].push_back(static_cast<double>(x.data<float>()[i]));
    }
    std::vector<double> expected;
    for (const auto& group : groups) expected.push_back(fold(group));
    expect_close(run(*op, attributes, {x}), result, expected);
    Tensor axes = vector_of(attributes.axes);
    attributes.axes = {0};  // overridden by the input
    expect_close(run(*op, attributes, {x, axes}), result, expected);
  }
}

TEST(Reduce, ReducesEverythingWithoutAxes) {
  const Tensor x = Tensor::of<int32_t>({2, 2}, {1, 2, 3, 5});
  ReduceAttributes attributes;
  expect_tensor<int32_t>(run(def::reduce_sum, attributes, {x}), {1, 1}, {11});
  expect_tensor<int32_t>(run(def::reduce_mean, attributes, {x}), {1, 1}, {2});
  attributes.keepdims = false;
  expect_tensor<int32_t>(run(def::reduce_prod, attributes, {x}), {}, {30});
  EXPECT_THROW(run(def::reduce_sum, ReduceAttributes{{2}}, {x}), Error);
  EXPECT_THROW(run(def::reduce_sum, ReduceAttributes{{1, -1}}, {x}), Error);
}

TEST(Reduce, OfNothingGivesTheNeutralElement) {
  const Tensor x(DType::f32, {2, 0});
  const ReduceAttributes attributes{{1}, false};
  expect_close(run(def::reduce_sum, attributes, {x}), {2}, {0, 0});
  expect_close(run(def::reduce_prod, attributes, {x}), {2}, {1, 1});
  expect_close(run(def::reduce_max, attributes, {x}), {2}, {-INFINITY, -INFINITY});
  expect_close(run(def::reduce_min, attributes, {x}), {2}, {INFINITY, INFINITY});
  expect_close(run(def::reduce_log_sum_exp, attributes, {x}), {2}, {-INFINITY, -INFINITY});
}

TEST(Reduce, PassesNaNAndDoesNotOverflow) {
  const Tensor x = Tensor::of<float>({3}, {1, NAN, 3}), large = Tensor::of<float>({2}, {1000, 1000});
  expect_close(run(def::reduce_max, ReduceAttributes{{0}, false}, {x}), {}, {NAN});
  expect_close(run(def::reduce_min, ReduceAttributes{{0}, false}, {x}), {}, {NAN});
  expect_close(run(def::reduce_log_sum_exp, ReduceAttributes{{0}, false}, {large}), {},
               {1000 + std::log(2.0)});
}

TEST(Reduce, FollowsSizes) {
  EXPECT_EQ(
      Inferred().contents({"n", "3", "h"}).apply(def::reduce_prod, ReduceAttributes{{0}, false}).contents(),
      "3*h*n");
  EXPECT_EQ(Inferred().contents({"n", "3"}).apply(def::reduce_sum, ReduceAttributes{}).contents(), "n + 3");
  EXPECT_EQ(Inferred().input({"n", "c", "h"}).apply(def::reduce_mean, ReduceAttributes{{1, 2}, false}).type(),
            "f32[n]");
}

TEST(ArgMax, ChoosesTheFirstOrTheLast) {
  const Tensor x = Tensor::of<float>({2, 3}, {2, 7, 7, -1, -1, -5});
  expect_tensor<int64_t>(run(def::arg_max, ArgReduceAttributes{1, false}, {x}), {2}, {1, 0});
  expect_tensor<int64_t>(run(def::arg_max, ArgReduceAttributes{-1, true, true}, {x}), {2, 1}, {2, 1});
  expect_tensor<int64_t>(run(def::arg_min, ArgReduceAttributes{0, false}, {x}), {3}, {1, 1, 1});
  expect_tensor<int64_t>(
      run(def::arg_max, ArgReduceAttributes{0, false}, {Tensor::of<float>({3}, {1, NAN, NAN})}), {}, {1});
  EXPECT_THROW(run(def::arg_max, ArgReduceAttributes{}, {Tensor(DType::f32, {0, 2})}), Error);
}

}  // namespace
}  // namespace burnish::ops::testing
