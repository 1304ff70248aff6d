// Engines that bring other packed weights than their kernels read, with checksums that are right: an Error,
// and no byte is read beyond what is there.
#include <burnish/burnish.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "build/model.h"
#include "engine/file.h"
#include "ops/table.h"

namespace burnish {
namespace {

using nlohmann::json;

/// Odd sizes, so that packed weights are padded.
constexpr std::string_view network = R"(graph main(%x: f32[2,5,7,7]) {
  constant @w: f32[9,5,3,3]
  constant @d: f32[9,1,3,3]
  constant @p: f32[11,9,1,1]
  constant @m: f32[7,5]
  %a = conv(%x, @w) {pads=[1,1,1,1]} : f32[2,9,7,7]
  %c = conv(%a, @d) {pads=[1,1,1,1], group=9} : f32[2,9,7,7]
  %q = conv(%c, @p) : f32[2,11,7,7]
  %y = matmul(%q, @m) : f32[2,11,7,5]
  yield y=%y
})";

Engine engine_for(const std::string& device) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(network, ops::op_lookup(), [](const std::string&, const ir::TensorType& type) {
    Tensor data(type.dtype, *ir::constants(type.shape));
    std::fill_n(data.data<float>(), data.size(), 0.125f);
    return data;
  });
  BuildOptions options;
  options.device = device;
  options.measure = false;
  options.tuning_cache = "none";
  return build(Model(state), options);
}

/// Writes the engine anew with another program.
void rewrite(const engine::SectionFile& file, const json& program, const std::string& path) {
  using engine::SectionId;
  const std::string text = program.dump();
  engine::write_sections(path, {{SectionId::metadata, false, {file.section(SectionId::metadata)}},
                                {SectionId::program, true, {text}},
                                {SectionId::code, true, {file.section(SectionId::code)}},
                                {SectionId::weights, false, {file.section(SectionId::weights)}}});
}

void run(const std::string& path, const std::string& device) {
  Tensor x(DType::f32, {2, 5, 7, 7});
  std::fill_n(x.data<float>(), x.size(), 0.5f);
  Session(Engine::load(path, {.device = device, .threads = 1})).run(x);
}

class Devices : public ::testing::TestWithParam<const char*> {};

TEST_P(Devices, RefusePackedWeightsThatAreMissingOrTooShort) {
  const std::string path = testing::TempDir() + "packed_" + GetParam() + ".burnish";
  const std::string changed = testing::TempDir() + "changed_" + GetParam() + ".burnish";
  engine_for(GetParam()).save(path);
  const engine::SectionFile file = engine::SectionFile::open(path);
  const json program = json::parse(file.section(engine::SectionId::program));
  rewrite(file, program, changed);
  EXPECT_NO_THROW(run(changed, GetParam()));
  int weights = 0;
  for (size_t i = 0; i < program["choices"].size(); ++i) {
    if (program["choices"][i].is_null()) continue;
    for (size_t w = 0; w < program["choices"][i]["constants"].size(); ++w, ++weights) {
      SCOPED_TRACE(program["choices"][i].dump());
      json missing = program, shorter = program;
      missing["choices"][i]["constants"].erase(w);
      rewrite(file, missing, changed);
      EXPECT_THROW(run(changed, GetParam()), Error);
      json& last = shorter["choices"][i]["constants"][w]["shape"].back();
      last = last.get<int64_t>() - 1;
      rewrite(file, shorter, changed);
      EXPECT_THROW(run(changed, GetParam()), Error);
    }
  }
  EXPECT_GE(weights, 4);
}

TEST(PackedWeights, AreNotMadeOfWeightsThatAreMissing) {
  const std::string path = testing::TempDir() + "all_weights.burnish", changed = testing::TempDir() + "no_weight.burnish";
  engine_for("cpu").save(path);
  const engine::SectionFile file = engine::SectionFile::open(path);
  json program = json::parse(file.section(engine::SectionId::program));
  rewrite(file, program, changed);
  EXPECT_NO_THROW(run(changed, "reference"));
  program["constants"][0] = {0, 0};
  rewrite(file, program, changed);
  EXPECT_THROW(run(changed, "reference"), Error);
}

TEST(PackedWeights, WhoseBytesNoNumberHoldsLieOutsideTheFile) {
  const std::string path = testing::TempDir() + "fitting.burnish", changed = testing::TempDir() + "huge.burnish";
  engine_for("cpu").save(path);
  const engine::SectionFile file = engine::SectionFile::open(path);
  json program = json::parse(file.section(engine::SectionId::program));
  bool found = false;
  for (json& choice : program["choices"])
    if (!choice.is_null() && !choice["constants"].empty() && !found) {
      json& packed = choice["constants"][0];
      packed["dtype"] = "f32";
      packed["shape"] = {int64_t{1} << 62};  // times 4 bytes, it is 0 in 64 bits
      found = true;
    }
  ASSERT_TRUE(found);
  rewrite(file, program, changed);
  EXPECT_THROW(Engine::load(changed, {.device = "cpu", .threads = 1}), Error);
}

TEST(Program, WhoseNumbersAreNotWholeOrTooLargeIsRefused) {
  const std::string path = testing::TempDir() + "numbers.burnish", changed = testing::TempDir() + "other_numbers.burnish";
  engine_for("cpu").save(path);
  const engine::SectionFile file = engine::SectionFile::open(path);
  const json program = json::parse(file.section(engine::SectionId::program));
  std::string packed;
  for (size_t i = 0; i < program["choices"].size() && packed.empty(); ++i)
    if (!program["choices"][i].is_null() && !program["choices"][i]["constants"].empty()) packed = "/choices/" + std::to_string(i);
  ASSERT_FALSE(packed.empty());
  for (const std::string& number : {std::string("/constants/0/0"), std::string("/constants/0/1"), std::string("/streams"), packed + "/code/0",
                                    packed + "/code/1", packed + "/constants/0/offset", packed + "/constants/0/shape/0"})
    for (const json& wrong : {json(0.5), json(4.6e20), json(-1), json("1"), json(true)}) {
      SCOPED_TRACE(number + ": " + wrong.dump());
      json other = program;
      other[json::json_pointer(number)] = wrong;
      rewrite(file, other, changed);
      EXPECT_THROW(Engine::load(changed, {.device = "cpu", .threads = 1}), Error);
    }
}

INSTANTIATE_TEST_SUITE_P(Engine, Devices, ::testing::Values("reference", "cpu"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace burnish
