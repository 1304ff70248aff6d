// Engine::refit beside fresh builds with the new weights: bit for bit.
#include <burnish/burnish.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "build/model.h"
#include "ops/table.h"
#include "plan/program.h"
#include "runtime/engine_state.h"

namespace burnish {
namespace {

/// Convolutions with BatchNorm behind them, three products of one input, a PReLU of one slope.
constexpr std::string_view network = R"(graph main(%x: f32[2,3,7,9], %r: f32[5,12]) {
  constant @w: f32[6,3,3,3]
  constant @gamma: f32[6]
  constant @beta: f32[6]
  constant @mean: f32[6]
  constant @variance: f32[6]
  constant @slope: f32[1]
  constant @q: f32[12,8]
  constant @k: f32[12,8]
  constant @v: f32[12,4]
  constant @qb: f32[8]
  constant @kb: f32[8]
  constant @vb: f32[4]
  %c = conv(%x, @w) {pads=[1,1,1,1]} : f32[2,6,7,9]
  %n = batch_norm(%c, @gamma, @beta, @mean, @variance) : f32[2,6,7,9]
  %p = prelu(%n, @slope) : f32[2,6,7,9]
  %a = matmul(%r, @q) : f32[5,8]
  %aq = add(%a, @qb) : f32[5,8]
  %b = matmul(%r, @k) : f32[5,8]
  %bk = add(%b, @kb) : f32[5,8]
  %d = matmul(%r, @v) : f32[5,4]
  %dv = add(%d, @vb) : f32[5,4]
  %s = mul(%aq, %bk) : f32[5,8]
  yield image=%p, product=%s, values=%dv
})";

Tensor filled(const Shape& shape, float value) {
  Tensor tensor(DType::f32, shape);
  std::fill_n(tensor.data<float>(), tensor.size(), value);
  return tensor;
}

Tensor random_tensor(const Shape& shape, std::mt19937& random, float least) {
  Tensor tensor(DType::f32, shape);
  std::uniform_real_distribution<float> number(least, 1.5f);
  std::generate_n(tensor.data<float>(), tensor.size(), [&] { return number(random); });
  return tensor;
}

/// Weights as a fresh module has them: ones and zeros that no rewrite may go by.
TensorMap initial_weights(std::mt19937& random) {
  TensorMap weights = {{"gamma", filled({6}, 1)}, {"beta", filled({6}, 0)}, {"mean", filled({6}, 0)}, {"variance", filled({6}, 1)},
                       {"qb", filled({8}, 0)},    {"kb", filled({8}, 0)},   {"vb", filled({4}, 0)},   {"slope", filled({1}, 0.25f)}};
  weights["w"] = random_tensor({6, 3, 3, 3}, random, -1);
  weights["q"] = random_tensor({12, 8}, random, -1);
  weights["k"] = weights["q"].clone();
  weights["v"] = random_tensor({12, 4}, random, -1);
  return weights;
}

TensorMap other_weights(const TensorMap& like, std::mt19937& random) {
  TensorMap weights;
  for (const auto& [name, tensor] : like) weights[name] = random_tensor(tensor.shape(), random, name == "variance" ? 0.5f : -1.0f);
  return weights;
}

Model model_of(const TensorMap& weights, std::string_view text = network) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(text, ops::op_lookup(), [&](const std::string& name, const ir::TensorType&) { return weights.at(name); });
  state->weights = weights;
  return Model(state);
}

Engine built(const Model& model, const std::string& device = "cpu") {
  BuildOptions options;
  options.device = device;
  options.measure = false;
  options.tuning_cache = "none";
  return build(model, options);
}

void expect_same_bits(const TensorMap& results, const TensorMap& expected) {
  ASSERT_EQ(results.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_EQ(results.at(name).shape(), tensor.shape());
    EXPECT_EQ(std::memcmp(results.at(name).raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())), 0) << name;
  }
}

class Refit : public testing::TestWithParam<std::string> {};

TEST_P(Refit, GivesWhatAFreshBuildGives) {
  std::mt19937 random(5);
  const TensorMap first = initial_weights(random), second = other_weights(first, random);
  const TensorMap inputs = {{"x", random_tensor({2, 3, 7, 9}, random, -1)}, {"r", random_tensor({5, 12}, random, -1)}};
  const Engine engine = built(model_of(first), GetParam());
  const TensorMap before = Session(engine).run(inputs), expected = Session(built(model_of(second), GetParam())).run(inputs);
  for (const WeightInfo& weight : engine.weights()) EXPECT_EQ(weight.fixed_by, "") << weight.name;

  expect_same_bits(Session(engine.refit(second)).run(inputs), expected);
  expect_same_bits(Session(engine).run(inputs), before);
  expect_same_bits(Session(engine.refit(second).refit(first)).run(inputs), before);

  const std::string path = testing::TempDir() + "refit_" + GetParam() + ".burnish";
  engine.save(path);
  const Engine loaded = Engine::load(path);
  EXPECT_EQ(loaded.weights().size(), first.size());
  loaded.refit(second).save(path + "2");
  expect_same_bits(Session(Engine::load(path + "2")).run(inputs), expected);
  std::filesystem::remove(path);
  std::filesystem::remove(path + "2");
}

INSTANTIATE_TEST_SUITE_P(Devices, Refit, testing::Values("cpu", "reference"));

TEST(RefitOfSome, SharesWhatDoesNotChange) {
  std::mt19937 random(6);
  const TensorMap first = initial_weights(random);
  TensorMap second = first;
  second["beta"] = random_tensor({6}, random, -1);
  const Engine engine = built(model_of(first)), refitted = engine.refit({{"beta", second["beta"]}});
  const plan::Program &before = *engine.state().program, &after = *refitted.state().program;
  EXPECT_EQ(before.kernels, after.kernels);
  size_t shared = 0;
  for (size_t i = 0; i < before.choices.size(); ++i)
    for (size_t j = 0; j < before.choices[i].constants.size(); ++j)
      shared += before.choices[i].constants[j].raw() == after.choices[i].constants[j].raw();
  EXPECT_GT(shared, size_t{0});
  const TensorMap inputs = {{"x", random_tensor({2, 3, 7, 9}, random, -1)}, {"r", random_tensor({5, 12}, random, -1)}};
  expect_same_bits(Session(refitted).run(inputs), Session(built(model_of(second))).run(inputs));
}

template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RefitErrors, NameTheWeight) {
  std::mt19937 random(7);
  const Engine engine = built(model_of(initial_weights(random)));
  EXPECT_NE(error_of([&] { engine.refit({{"bta", filled({6}, 1)}}); }).find("no weight 'bta'"), std::string::npos);
  EXPECT_NE(error_of([&] { engine.refit({{"beta", filled({5}, 1)}}); }).find("weight 'beta': expected f32 of shape 6, got f32 of shape 5"), std::string::npos);
  EXPECT_NE(error_of([&] { engine.refit({{"beta", Tensor(DType::f64, {6})}}); }).find("got f64"), std::string::npos);
}

TEST(RefitErrors, AWeightThatARuleWentByKeepsItsValue) {
  // A scale of one number goes through the product as that number.
  const std::string_view text = R"(graph main(%a: f32[4,3], %b: f32[3,5]) {
  constant @c: f32[1]
  %s = mul(%a, @c) : f32[4,3]
  %y = matmul(%s, %b) : f32[4,5]
  yield y=%y
})";
  const Engine engine = built(model_of({{"c", filled({1}, 0.5f)}}, text));
  ASSERT_EQ(engine.weights().size(), size_t{1});
  EXPECT_NE(engine.weights()[0].fixed_by, "");
  engine.refit({{"c", filled({1}, 0.5f)}});
  EXPECT_NE(error_of([&] { engine.refit({{"c", filled({1}, 0.75f)}}); }).find("weight 'c' is compiled in"), std::string::npos);
}

}  // namespace
}  // namespace burnish
