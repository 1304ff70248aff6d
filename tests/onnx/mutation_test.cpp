// Damaged models: whatever bytes change, the importer gives a graph or an Error, and soon.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "model_writer.h"
#include "onnx/import.h"

namespace burnish {
namespace {

using namespace test;

/// A model with most of what protobuf offers: a function, subgraphs, typed and raw tensors, shape arithmetic.
std::string busy_model() {
  const Message function =
      Message()
          .text(1, "Leak")
          .text(10, "local")
          .text(4, "a")
          .text(5, "b")
          .text(6, "slope")
          .message(7, node("LeakyRelu", {"a"}, {"b"}, {reference_attribute("alpha", "slope", 1)}))
          .message(9, Message().text(1, "").integer(2, 17));
  const Message loop_body =
      graph({.nodes = {node("Identity", {"cond"}, {"cond_out"}),
                       node("Concat", {"v", "v"}, {"v_out"}, {attribute("axis", 0)})},
             .initializers = {},
             .inputs = {value_info("i", INT64, {}), value_info("cond", BOOL, {}),
                        value_info("v", FLOAT, {"m", "4"})},
             .outputs = {value_info("cond_out", BOOL, {}), value_info("v_out", FLOAT, {"k", "4"})}});
  const Message then_branch = graph({.nodes = {node("Neg", {"r"}, {"t"})},
                                     .initializers = {},
                                     .inputs = {},
                                     .outputs = {value_info("t", FLOAT, {})}});
  const Message else_branch = graph({.nodes = {node("Add", {"r", "w"}, {"t"})},
                                     .initializers = {},
                                     .inputs = {},
                                     .outputs = {value_info("t", FLOAT, {})}});
  return model({.nodes = {node("Leak", {"x"}, {"h"}, {attribute("slope", 0.25f)}, "leak", "local"),
                          node("Constant", {}, {"c"},
                               {tensor_attribute("value", tensor<float>("", FLOAT, {1, 4}, {1, 2, 3, 4}))}),
                          node("Mul", {"h", "c"}, {"p"}), node("Shape", {"p"}, {"s"}),
                          node("Mul", {"s", "twice"}, {"s2"}), node("Expand", {"p1", "s2"}, {"e"}),
                          node("Unsqueeze", {"one", "axes"}, {"p1"}),
                          node("Loop", {"trips", "", "p"}, {"l"}, {graph_attribute("body", loop_body)}),
                          node("ReduceSum", {"l", "axes"}, {"r0"}), node("Relu", {"r0"}, {"r"}),
                          node("If", {"flag"}, {"y"},
                               {graph_attribute("then_branch", then_branch),
                                graph_attribute("else_branch", else_branch)})},
                .initializers = {tensor<float>("w", FLOAT, {4}, {1, 2, 3, 4}),
                                 tensor<int64_t>("axes", INT64, {1}, {0}),
                                 tensor<int64_t>("twice", INT64, {2}, {2, 1}),
                                 Message().integer(1, 1).integer(2, FLOAT).text(8, "one").number(4, 1.0f),
                                 tensor<int64_t>("trips", INT64, {}, {3})},
                .inputs = {value_info("x", FLOAT, {"n", "4"}), value_info("flag", BOOL, {})},
                .outputs = {value_info("y", FLOAT, {}), value_info("e", FLOAT, {})}},
               17, {function});
}

std::string mutated(std::string bytes, std::mt19937& random) {
  const int changes = 1 + static_cast<int>(random() % 4);
  for (int i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = random() % bytes.size();
    switch (random() % 6) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 3:
        bytes.insert(at, 1 + random() % 8, static_cast<char>(random()));
        break;
      case 4:
        bytes[at] = static_cast<char>(bytes[at] + (random() % 2 ? 1 : -1));
        break;
      default:
        bytes[at] = bytes[random() % bytes.size()];
        break;
    }
  }
  return bytes;
}

TEST(Mutation, NeverEscapesAsAnythingButAnError) {
  const std::string whole = busy_model();
  ASSERT_NO_THROW(onnx::import_bytes(whole, nullptr, ""));
  int imported = 0;
  for (uint32_t seed = 0; seed < 20000; ++seed) {
    std::mt19937 random(seed);
    const std::string bytes = mutated(whole, random);
    try {
      const auto model = onnx::import_bytes(bytes, nullptr, "");
      EXPECT_FALSE(ir::print(*model.graph).empty());
      ++imported;
    } catch (const Error& error) {
      EXPECT_STRNE(error.what(), "") << "seed " << seed;
      EXPECT_EQ(std::string(error.what()).find("internal:"), std::string::npos)
          << "seed " << seed << ": " << error.what();
    }
  }
  EXPECT_GT(imported, 100);  // else the mutations break the outermost message only
}

}  // namespace
}  // namespace burnish
