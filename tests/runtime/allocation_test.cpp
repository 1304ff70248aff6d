// A run of shapes that the session has seen allocates nothing, and gives bit for bit what the first gave.
#include <burnish/burnish.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "build/model.h"
#include "ops/evaluate.h"
#include "ops/seeded_inputs.h"
#include "ops/table.h"
#include "runtime/engine_state.h"
#include "tests/support/allocations.h"

namespace burnish {
namespace {

using Shapes = std::vector<std::map<std::string, Shape>>;  ///< by input name, for one run after another

BuildOptions untimed() {
  BuildOptions options;
  options.device = "cpu";
  options.measure = false;
  options.tuning_cache = "none";
  return options;
}

/// Opt is the first; each dimension may be anything between the least and the most.
BuildOptions ranging_over(const Shapes& shapes) {
  BuildOptions options = untimed();
  for (const auto& [name, opt] : shapes[0]) {
    ShapeRange range{opt, opt, opt};
    for (const auto& each : shapes)
      for (size_t d = 0; d < opt.size(); ++d) {
        range.min[d] = std::min(range.min[d], each.at(name)[d]);
        range.max[d] = std::max(range.max[d], each.at(name)[d]);
      }
    options.shape_ranges[name] = range;
  }
  return options;
}

TensorMap seeded(const Engine& engine, const std::map<std::string, Shape>& shapes, uint64_t seed) {
  const ir::Graph& graph = *engine.state().program->graph;
  TensorMap inputs;
  for (ir::ValueId id : graph.inputs())
    inputs[graph.value(id).name] = ops::seeded_input(graph, id, shapes.at(graph.value(id).name), seed++);
  return inputs;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

void expect_runs_without_allocating(const Engine& engine, const Shapes& shapes) {
  Session session(engine);
  std::vector<TensorMap> inputs, outputs, first;
  for (const auto& each : shapes) inputs.push_back(seeded(engine, each, 7 * inputs.size()));
  for (const TensorMap& each : inputs) first.push_back(session.run(each));
  for (const TensorMap& each : first) {
    TensorMap& fresh = outputs.emplace_back();
    for (const auto& [name, tensor] : each) fresh[name] = Tensor(tensor.dtype(), tensor.shape());
  }
  const test::CountAllocations allocations;
  for (int round = 0; round < 20; ++round)
    for (size_t i = 0; i < inputs.size(); ++i) session.run_into(inputs[i], outputs[i]);
  EXPECT_EQ(allocations.count(), 0) << "the first was by " << allocations.first();
  for (size_t i = 0; i < inputs.size(); ++i)
    for (const auto& [name, tensor] : first[i])
      EXPECT_TRUE(same_bits(tensor, outputs[i].at(name))) << name << ", shapes " << i;
}

class Allocations : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::CountAllocations::works()) GTEST_SKIP() << "a sanitizer owns the allocator";
  }
};

TEST_F(Allocations, AreSeen) {
  const test::CountAllocations allocations;
  const Tensor tensor(DType::f32, {3});
  EXPECT_GT(allocations.count(), 0);
}

TEST_F(Allocations, NoneInADynamicNetwork) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(R"(graph main(%x: f32[1,6,9,a_name_of_more_than_fifteen_letters]) {
  constant @w: f32[5,6,1,1] = {0.5, 0.25, -1.0, 2.0, 0.1, 0.2, 0.5, 0.25, -1.0, 2.0, 0.1, 0.2, 0.5, 0.25, -1.0, 2.0, 0.1, 0.2, 0.5, 0.25, -1.0, 2.0, 0.1, 0.2, 0.5, 0.25, -1.0, 2.0, 0.1, 0.2}
  %c = conv(%x, @w) {strides=[1,1], pads=[0,0,0,0], dilations=[1,1]} : f32[1,5,9,a_name_of_more_than_fifteen_letters]
  %r = relu(%c) : f32[1,5,9,a_name_of_more_than_fifteen_letters]
  %t = transpose(%r) {perm=[0,3,2,1]} : f32[1,a_name_of_more_than_fifteen_letters,9,5]
  %s = softmax(%t) {axis=-1} : f32[1,a_name_of_more_than_fifteen_letters,9,5]
  yield y=%s
})",
                           ops::op_lookup());
  const Shapes shapes = {{{"x", {1, 6, 9, 40}}}, {{"x", {1, 6, 9, 300}}}, {{"x", {1, 6, 9, 7}}}};
  expect_runs_without_allocating(build(Model(state), ranging_over(shapes)), shapes);
}

TEST_F(Allocations, ASessionGoesOnAfterAMistake) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph =
      ir::parse("graph main(%x: f32[n]) {\n  %y = relu(%x) : f32[n]\n  yield y=%y\n}", ops::op_lookup());
  Session session(build(Model(state), ranging_over({{{"x", {3}}}, {{"x", {1}}}, {{"x", {9}}}})));
  const Tensor x = Tensor::of<float>({3}, {-1, 2, 3});
  TensorMap outputs = session.run({{"x", x}});
  TensorMap narrow = {{"y", Tensor(DType::f32, {2})}};
  EXPECT_THROW(session.run_into({{"x", x}}, narrow), Error);
  EXPECT_THROW(session.run({{"z", x}}), Error);
  EXPECT_THROW(session.run({{"x", x}, {"z", x}}), Error);
  session.run_into({{"x", Tensor::of<float>({3}, {4, -5, 6})}}, outputs);
  EXPECT_EQ(std::vector<float>(outputs.at("y").data<float>(), outputs.at("y").data<float>() + 3),
            (std::vector<float>{4, 0, 6}));
}

struct PackagedCase {
  std::string file;
  Shapes shapes;
};

class PackagedAllocations : public Allocations, public testing::WithParamInterface<PackagedCase> {};

TEST_P(PackagedAllocations, None) {
  const char* folder = std::getenv("BURNISH_MODELS");
  const std::filesystem::path path =
      std::filesystem::path(folder && *folder ? folder : BURNISH_SOURCE_DIR "/build/models") /
      GetParam().file;
  if (!std::filesystem::is_regular_file(path)) GTEST_SKIP() << "needs scripts/fetch_models.py";
  expect_runs_without_allocating(build(path.string(), ranging_over(GetParam().shapes)), GetParam().shapes);
}

/// Of a title model: tokens and mask of [batch, length], each of two sizes after another.
std::map<std::string, Shape> title_encoder(int64_t batch, int64_t length) {
  return {{"input_ids", {batch, length}}, {"attention_mask", {batch, length}}};
}
std::map<std::string, Shape> title_decoder(int64_t batch, int64_t written, int64_t length) {
  return {{"input_ids", {batch, written}},
          {"encoder_hidden_states", {batch, length, 512}},
          {"encoder_attention_mask", {batch, length}}};
}
std::map<std::string, Shape> silero(int64_t windows) {
  return {{"input", {windows, 576}}, {"h", {1, 1, 128}}, {"c", {1, 1, 128}}};
}

INSTANTIATE_TEST_SUITE_P(
    Models, PackagedAllocations,
    testing::Values(
        PackagedCase{"PP-OCRv6_det_small.onnx", {{{"x", {1, 3, 96, 160}}}, {{"x", {2, 3, 64, 96}}}}},
        PackagedCase{"PP-OCRv6_rec_small.onnx",
                     {{{"x", {1, 3, 48, 160}}}, {{"x", {1, 3, 48, 64}}}, {{"x", {2, 3, 48, 100}}}}},
        PackagedCase{"ch_ppocr_mobile_v2.0_cls_mobile.onnx", {{{"x", {1, 3, 48, 192}}}}},
        PackagedCase{"magika.onnx", {{{"bytes", {1, 2048}}}, {{"bytes", {3, 2048}}}}},
        PackagedCase{"open-nsfw.onnx", {{{"input:0", {1, 224, 224, 3}}}}},
        PackagedCase{"silero_vad_v6.onnx", {silero(3), silero(1), silero(8)}},
        PackagedCase{"title_encoder.onnx", {title_encoder(1, 16), title_encoder(3, 20)}},
        PackagedCase{"title_decoder.onnx", {title_decoder(1, 8, 16), title_decoder(3, 5, 20)}}),
    [](const auto& info) {
      std::string name = info.param.file.substr(0, info.param.file.rfind('.'));
      std::replace_if(
          name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
      return name;
    });

}  // namespace
}  // namespace burnish
