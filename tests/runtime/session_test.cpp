// Programs as sessions run them, beside ops::evaluate.
#include <burnish/burnish.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "build/model.h"
#include "ops/evaluate.h"
#include "ops/table.h"
#include "runtime/session_state.h"

namespace burnish {
namespace {

Engine built(std::string_view text) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(text, ops::op_lookup());
  BuildOptions options;
  options.device = "cpu";
  options.measure = false;
  options.tuning_cache = "none";
  return build(Model(state), options);
}

TEST(Session, ConcatTakesConstants) {
  const Engine engine = built(R"(graph main(%x: f32[1,2]) {
  constant @c: f32[1,3] = {3.0, 4.0, 5.0}
  %y = concat(%x, @c) {axis=1} : f32[1,5]
  %z = concat(@c, %y, %x) {axis=1} : f32[1,10]
  yield z=%z
})");
  const Tensor z = Session(engine).run(Tensor::of<float>({1, 2}, {1, 2}));
  const std::vector<float> expected = {3, 4, 5, 1, 2, 3, 4, 5, 1, 2};
  EXPECT_EQ(std::vector<float>(z.data<float>(), z.data<float>() + z.size()), expected);
}

TEST(Session, AWiderResultLeavesTheConditionAlone) {
  const Engine engine = built(R"(graph main(%x: f32[100], %low: f32[], %high: f32[]) {
  %a = less(%x, %low) : bool[100]
  %b = where(%a, %low, %x) : f32[100]
  %c = less(%high, %b) : bool[100]
  %d = where(%c, %high, %b) : f32[100]
  yield d=%d
})");
  Tensor x(DType::f32, {100});
  for (int i = 0; i < 100; ++i) x.data<float>()[i] = static_cast<float>((i * 37) % 11 - 5);
  const TensorMap results = Session(engine).run({{"x", x}, {"low", Tensor::scalar(-1.0f)}, {"high", Tensor::scalar(1.0f)}});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results.at("d").data<float>()[i], std::clamp(x.data<float>()[i], -1.0f, 1.0f)) << i;
}

TEST(Session, NothingInGivesNothingOut) {
  const Engine engine = built("graph main(%x: f32[2,0,4]) {\n  %y = neg(%x) : f32[2,0,4]\n  %z = relu(%y) : f32[2,0,4]\n  yield z=%z\n}");
  EXPECT_EQ(Session(engine).run(Tensor(DType::f32, {2, 0, 4})).shape(), (Shape{2, 0, 4}));
}

TEST(Session, ARunOfMoreSegmentsThanPlansAreKeptFor) {
  // Each compression ends a segment: the host reads how much it left.
  std::string text = "graph main(%x0: f32[3], %m: bool[3]) {\n";
  constexpr int count = 150;
  for (int i = 0; i < count; ++i) text += fmt::format("  %x{} = compress(%x{}, %m) {{axis=0}} : f32[a{}]\n", i + 1, i, i);
  const Engine engine = built(text + fmt::format("  yield y=%x{}\n}}", count));
  Session session(engine);
  for (int run = 0; run < 3; ++run) {
    Tensor mask(DType::boolean, {3});
    std::fill_n(mask.data<bool>(), 3, true);
    const TensorMap results = session.run({{"x0", Tensor::of<float>({3}, {1, 2, 3})}, {"m", mask}});
    const Tensor& y = results.at("y");
    EXPECT_EQ(std::vector<float>(y.data<float>(), y.data<float>() + y.size()), (std::vector<float>{1, 2, 3}));
  }
  EXPECT_GE(session.state().execution.last_segments().size(), size_t{count});
}

TEST(Session, GuessesOfSizesThatDependOnDataAgreeWithKnownOnes) {
  // The rows of two groups, one behind the other again, beside a number for each row: what routing to experts makes.
  const Engine engine = built(R"IR(graph main(%x: f32[n,3], %to_first: bool[n], %to_second: bool[n], %weights: f32[n,1]) {
  symbol n 4 44 60
  %a = compress(%x, %to_first) {axis=0} : f32[a,3]
  %b = compress(%x, %to_second) {axis=0} : f32[b,3]
  %c = concat(%a, %b) {axis=0} : f32[a + b,3]
  %y = mul(%c, %weights) : f32[broadcast(a + b, n),3]
  yield y=%y
})IR");
  Tensor x(DType::f32, {5, 3}), weights(DType::f32, {5, 1});
  for (int i = 0; i < 15; ++i) x.data<float>()[i] = static_cast<float>(i);
  for (int i = 0; i < 5; ++i) weights.data<float>()[i] = static_cast<float>(i + 1);
  const TensorMap results = Session(engine).run({{"x", x}, {"weights", weights}, {"to_first", Tensor::of<bool>({5}, {0, 1, 0, 0, 1})}, {"to_second", Tensor::of<bool>({5}, {1, 0, 1, 1, 0})}});
  const int rows[] = {1, 4, 0, 2, 3};
  for (int i = 0; i < 15; ++i) EXPECT_EQ(results.at("y").data<float>()[i], static_cast<float>((rows[i / 3] * 3 + i % 3) * (i / 3 + 1)));
}

TEST(Session, OperandsOfWeightsThatAreComputedAreNotKept) {
  const Engine engine = built(R"(graph main(%x: f32[3,2]) {
  constant @a: f32[2,2] = {1.0, 2.0, 3.0, 4.0}
  constant @b: f32[2,2] = {5.0, 6.0, 7.0, 8.0}
  constant @c: f32[3,1] = {1.0, 1.0, 1.0}
  %ab = concat(@a, @b) {axis=1} : f32[2,4]
  %y = matmul(%x, %ab) : f32[3,4]
  %z = concat(%y, @c) {axis=1} : f32[3,5]
  yield z=%z
})");
  const auto& program = *engine.state().program;
  EXPECT_EQ(program.constants.size(), 1u) << "@c alone is read by the run itself";
  const Tensor z = Session(engine).run(Tensor::of<float>({3, 2}, {1, 0, 0, 1, 1, 1}));
  const std::vector<float> expected = {1, 2, 5, 6, 1, 3, 4, 7, 8, 1, 4, 6, 12, 14, 1};
  EXPECT_EQ(std::vector<float>(z.data<float>(), z.data<float>() + z.size()), expected);
}

TEST(Session, ResultsThatAreInputsConstantsOrOneAnotherAreCopies) {
  const Engine engine = built(R"(graph main(%x: f32[2]) {
  constant @c: f32[2] = {3.0, 4.0}
  %y = neg(%x) : f32[2]
  yield a=%x, b=@c, c=%y, d=%y
})");
  const Tensor x = Tensor::of<float>({2}, {1, 2});
  const TensorMap results = Session(engine).run({{"x", x}});
  EXPECT_NE(results.at("a").raw(), x.raw());
  EXPECT_NE(results.at("c").raw(), results.at("d").raw());
  EXPECT_EQ(results.at("b").data<float>()[1], 4);
  EXPECT_EQ(results.at("d").data<float>()[1], -2);
}

TEST(Session, AShapeThatIsAResultIsMadeAnewForEachRun) {
  const Engine engine = built("graph main(%x: f32[n,3]) {\n  symbol n 1 2 9\n  %s = shape(%x) : i64[2]\n  yield s=%s\n}");
  Session session(engine);
  for (const int64_t n : {2, 5, 2, 2}) {
    Tensor s = session.run(Tensor(DType::f32, {n, 3}));
    EXPECT_EQ(s.data<int64_t>()[0], n);
    EXPECT_EQ(s.data<int64_t>()[1], 3);
    s.data<int64_t>()[0] = -1;  // the caller's own
  }
}

TEST(Session, AResultOutlivesSessionAndEngine) {
  Tensor y;
  {
    const Engine engine = built("graph main(%x: f32[3]) {\n  %y = neg(%x) : f32[3]\n  yield y=%y\n}");
    y = Session(engine).run(Tensor::of<float>({3}, {1, 2, 3}));
  }
  EXPECT_EQ(y.data<float>()[2], -3);
}

TEST(Session, AnEngineOnTheHostRefusesMemoryOfAGpu) {
  const Engine engine = built("graph main(%x: f32[3]) {\n  %y = neg(%x) : f32[3]\n  yield y=%y\n}");
  Tensor host(DType::f32, {3});
  const Tensor x = Tensor::view(DType::f32, {3}, host.raw(), {}, {2, 0});
  try {
    Session(engine).run(x);
    FAIL() << "it ran";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("input 'x': it lies on a GPU"), std::string::npos) << error.what();
  }
}

TEST(Session, SavedEnginesGiveTheSameBits) {
  const Engine engine = built(R"(graph main(%x: f32[1,3,8,8]) {
  constant @w: f32[2,3,1,1] = {0.5, -1.0, 2.0, 0.25, 1.0, -0.5}
  %y = conv(%x, @w) : f32[1,2,8,8]
  %z = relu(%y) : f32[1,2,8,8]
  yield z=%z
})");
  Tensor x(DType::f32, {1, 3, 8, 8});
  for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = static_cast<float>(i % 17) - 8;
  const std::string path = testing::TempDir() + "session_test.burnish";
  engine.save(path);
  const Tensor before = Session(engine).run(x), after = Session(Engine::load(path)).run(x);
  for (int64_t i = 0; i < before.size(); ++i) EXPECT_EQ(before.data<float>()[i], after.data<float>()[i]) << i;
}

}  // namespace
}  // namespace burnish
