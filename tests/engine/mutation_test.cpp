// Damaged engines whose checksums are right: loading and running one gives results or an Error, and nothing
// else.
#include <burnish/burnish.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "build/model.h"
#include "fuzz/engine_mutator.h"
#include "ops/table.h"

// The changes of bytes that libFuzzer would make.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  static std::mt19937 random(1);
  if (size == 0) return 0;
  const size_t at = random() % size;
  switch (random() % 3) {
    case 0:
      data[at] = static_cast<uint8_t>(random());
      return size;
    case 1:
      data[at] ^= static_cast<uint8_t>(1u << random() % 8);
      return size;
    default: {
      if (size == max_size) return size;
      std::copy_backward(data + at, data + size, data + size + 1);
      return size + 1;
    }
  }
}

namespace burnish {
namespace {

constexpr std::string_view network = R"(graph main(%x: f32[n,4,6,6]) {
  symbol n 1 2 3
  constant @w: f32[8,4,3,3]
  constant @d: f32[8,1,3,3]
  constant @b: f32[8] = {1, 2, 3, 4, 5, 6, 7, 8}
  constant @m: f32[6,5]
  constant @to: i64[2] = {-1, 5}
  %a = conv(%x, @w, @b) {pads=[1,1,1,1]} : f32[n,8,6,6]
  %r = relu(%a) : f32[n,8,6,6]
  %c = conv(%r, @d) {pads=[1,1,1,1], group=8} : f32[n,8,6,6]
  %s = softmax(%c) : f32[n,8,6,6]
  %j = concat(%s, %r) {axis=1} : f32[n,16,6,6]
  %p = matmul(%j, @m) : f32[n,16,6,5]
  %y = reshape(%p, @to) : f32[96*n,5]
  yield y=%y
})";

std::string engine_bytes(const std::string& path) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->graph = ir::parse(network, ops::op_lookup(), [](const std::string&, const ir::TensorType& type) {
    Tensor data(type.dtype, *ir::constants(type.shape));
    std::fill_n(data.data<float>(), data.size(), 0.125f);
    return data;
  });
  BuildOptions options;
  options.device = "cpu";
  options.measure = false;
  options.tuning_cache = "none";
  options.shape_ranges["x"] = {{1, 4, 6, 6}, {2, 4, 6, 6}, {3, 4, 6, 6}};
  build(Model(state), options).save(path);
  return read_file(path);
}

TEST(Engine, SurvivesDamageThatChecksumsDoNotShow) {
  const std::string path = testing::TempDir() + "mutation_test.burnish";
  const std::string whole = engine_bytes(path);
  Tensor x(DType::f32, {2, 4, 6, 6});
  std::fill_n(x.data<float>(), x.size(), 0.5f);
  int loaded = 0, ran = 0;
  constexpr unsigned mutants = 400;
  for (unsigned seed = 0; seed < mutants; ++seed) {
    SCOPED_TRACE(seed);
    fuzz::EngineMutator mutator(reinterpret_cast<const uint8_t*>(whole.data()), whole.size(), seed);
    for (unsigned i = 0; i <= seed % 3; ++i) mutator.change();
    write_file(path, mutator.bytes());
    try {
      const Engine engine = Engine::load(path, {.device = "cpu", .threads = 1});
      ++loaded;
      Session(engine).run({{"x", x}});
      ++ran;
    } catch (const Error& error) {
      EXPECT_FALSE(error.message().empty());
    }
  }

  EXPECT_GT(loaded, 0);
  EXPECT_GT(ran, 0);
  EXPECT_LT(loaded, static_cast<int>(mutants));
}

}  // namespace
}  // namespace burnish
