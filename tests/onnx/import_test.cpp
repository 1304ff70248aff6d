// The importer on small models, good and bad.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "model_writer.h"
#include "onnx/import.h"
#include "ops/evaluate.h"
#include "ops/op_def.h"

namespace burnish {
namespace {

using namespace test;
using ::testing::HasSubstr;

onnx::ImportedModel import(const std::string& bytes) { return onnx::import_bytes(bytes, nullptr, ""); }

std::string error_of(const std::string& bytes) {
  try {
    import(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

GraphParts relu_of(const std::vector<std::string>& dims) {
  return {.nodes = {node("Relu", {"x"}, {"y"})},
          .initializers = {},
          .inputs = {value_info("x", FLOAT, dims)},
          .outputs = {value_info("y", FLOAT, {})}};
}

TEST(Import, KeepsNamesAndSources) {
  const auto model = import(
      test::model({.nodes = {node("Mul", {"x", "half"}, {"h"}, {}, "halve"), node("Relu", {"h"}, {"y"})},
                   .initializers = {tensor<float>("half", FLOAT, {}, {0.5f})},
                   .inputs = {value_info("x", FLOAT, {"n", "4"})},
                   .outputs = {value_info("y", FLOAT, {})}}));
  EXPECT_EQ(ir::print(*model.graph),
            "graph main(%x: f32[n,4]) {\n"
            "  symbol n 0 1 -1\n"
            "  constant @half: f32[] = {0.5}\n"
            "  %h = mul(%x, @half) : f32[n,4] from \"halve\"\n"
            "  %y = relu(%h) : f32[n,4] from \"y\"\n"
            "  yield y=%y\n"
            "}\n");
}

TEST(Import, NamesDimensionsThatHaveNoName) {
  const auto model =
      import(test::model(relu_of({"batch-size", "-1", "?", "", "min", "batch-size", "batch_size"})));
  const ir::Value& x = model.graph->value(model.graph->inputs()[0]);
  EXPECT_EQ(ir::dims_text(x.type.shape), "batch_size,x_1,x_2,x_3,min_,batch_size,batch_size_2");
}

TEST(Import, SortsNodesAndDropsIdentities) {
  const auto model = import(test::model(
      {.nodes = {node("Relu", {"b"}, {"y"}), node("Identity", {"a"}, {"b"}), node("Neg", {"x"}, {"a"})},
       .initializers = {},
       .inputs = {value_info("x", FLOAT, {"3"})},
       .outputs = {value_info("y", FLOAT, {})}}));
  EXPECT_EQ(model.graph->node_count(), 2u);
  const auto outputs = ops::evaluate(*model.graph, std::vector<Tensor>{Tensor::of<float>({3}, {-1, 0, 2})});
  EXPECT_EQ(outputs[0].data<float>()[0], 1);
  EXPECT_EQ(outputs[0].data<float>()[2], 0);
}

TEST(Import, KeepsWhatItKnowsOfAnExpandedShape) {
  const auto model = import(
      test::model({.nodes = {node("Concat", {"count", "rest"}, {"shape"}, {attribute("axis", 0)}),
                             node("Expand", {"x", "shape"}, {"e"})},
                   .initializers = {tensor<int64_t>("rest", INT64, {3}, {1, 3, 1})},
                   .inputs = {value_info("x", FLOAT, {"2", "1", "1"}), value_info("count", INT64, {"1"})},
                   .outputs = {value_info("e", FLOAT, {})}}));
  const auto& shape = model.graph->value(model.graph->outputs[0].value).type.shape;
  ASSERT_EQ(shape.size(), 4u);
  EXPECT_TRUE(shape[2].is(3)) << ir::dims_text(shape);
  const auto made = ops::evaluate(
      *model.graph, std::vector<Tensor>{Tensor::of<float>({2, 1, 1}, {5, 6}), Tensor::of<int64_t>({1}, {4})});
  EXPECT_EQ(made[0].shape(), (Shape{4, 2, 3, 1}));
  EXPECT_EQ(made[0].data<float>()[0], 5);
  EXPECT_EQ(made[0].data<float>()[3], 6);
}

/// A model that makes as many elements as `nodes` compute, in "size" of rank 0, from the sizes n and m of its
/// inputs.
onnx::ImportedModel sized_by(std::vector<test::Message> nodes) {
  const auto size_of = [&](const std::string& x, const std::string& size) {
    return std::vector{node("Shape", {x}, {x + "_shape"}), node("Squeeze", {x + "_shape"}, {size})};
  };
  std::vector<test::Message> all = size_of("x", "n");
  for (const auto& more :
       {size_of("y", "m"), nodes,
        std::vector{node("Unsqueeze", {"size", "zero"}, {"shape"}), node("Expand", {"one", "shape"}, {"e"})}})
    all.insert(all.end(), more.begin(), more.end());
  return import(test::model(
      {.nodes = all,
       .initializers = {tensor<int64_t>("zero", INT64, {1}, {0}), tensor<int64_t>("one", INT64, {1}, {1}),
                        tensor<int64_t>("minus_one", INT64, {}, {-1}),
                        tensor<int64_t>("four", INT64, {}, {4}), tensor<int64_t>("sign", INT64, {}, {1})},
       .inputs = {value_info("x", FLOAT, {"n"}), value_info("y", FLOAT, {"m"})},
       .outputs = {value_info("e", INT64, {})}}));
}

int64_t size_made(const onnx::ImportedModel& model, int64_t n, int64_t m) {
  return ops::evaluate(*model.graph, std::vector<Tensor>{Tensor(DType::f32, {n}), Tensor(DType::f32, {m})})[0]
      .size();
}

std::string size_text(const onnx::ImportedModel& model) {
  return ir::dims_text(model.graph->value(model.graph->outputs[0].value).type.shape);
}

TEST(Import, KnowsQuotientsOfSizesRoundedTowardsZero) {
  const auto quotient_of = [](const char* dividend) {
    return std::vector{node("Sub", {"n", "m"}, {"apart"}), node("Neg", {"n"}, {"minus"}),
                       node("Div", {dividend, "four"}, {"q"}), node("Abs", {"q"}, {"size"})};
  };
  for (int64_t n : {1, 3, 4, 7, 8, 9}) {
    EXPECT_EQ(size_made(sized_by(quotient_of("n")), n, 1), n / 4);
    EXPECT_EQ(size_made(sized_by(quotient_of("minus")), n, 1), n / 4);
    for (int64_t m : {1, 4, 6, 30})
      EXPECT_EQ(size_made(sized_by(quotient_of("apart")), n, m), std::abs((n - m) / 4)) << n << " " << m;
  }
  // The same where nothing but the size of the result follows from it: no node computes what a dimension
  // says.
  for (int64_t n : {1, 3, 4, 7, 8, 9}) {
    const auto model = sized_by({node("Neg", {"n"}, {"minus"}), node("Div", {"minus", "four"}, {"q"}),
                                 node("Sub", {"n", "q"}, {"size"})});
    EXPECT_EQ(size_made(model, n, 1), n + n / 4);
    EXPECT_EQ(ir::Dim::parse(size_text(model)).evaluate({{"n", n}}), n + n / 4);
  }
}

TEST(Import, KnowsQuotientsOfSizesRoundedDownAsPyTorchWritesThem) {
  const auto rounded_down = [](const char* size) {
    return std::vector{node("Neg", {"n"}, {"a"}),
                       node("Sign", {"a"}, {"s"}),
                       node("Equal", {"s", "sign"}, {"same"}),
                       node("Not", {"same"}, {"differ"}),
                       node("Mod", {"a", "four"}, {"rest"}),
                       node("Cast", {"rest"}, {"some"}, {attribute("to", int{BOOL})}),
                       node("And", {"differ", "some"}, {"both"}),
                       node("Div", {"a", "four"}, {"q"}),
                       node("Cast", {"both"}, {"correction"}, {attribute("to", int{INT64})}),
                       node("Sub", {"q", "correction"}, {"floor"}),
                       node("Neg", {"floor"}, {size})};
  };
  const auto model = sized_by(rounded_down("size"));
  EXPECT_EQ(size_text(model), ir::dims_text({0 - ir::floor_div(0 - ir::Dim::symbol("n"), 4)}));
  for (int64_t n : {1, 3, 4, 5, 8, 9}) EXPECT_EQ(size_made(model, n, 1), (n + 3) / 4);
}

TEST(Import, RefusesToPadAnUnknownDimensionByTheLeastNumber) {
  const auto bytes = test::model(
      {.nodes = {node("Pad", {"x", "pads"}, {"y"})},
       .initializers = {tensor<int64_t>("pads", INT64, {2}, {0, std::numeric_limits<int64_t>::min()})},
       .inputs = {value_info("x", FLOAT, {"n"})},
       .outputs = {value_info("y", FLOAT, {})}});
  EXPECT_THAT(error_of(bytes), HasSubstr("a dimension overflows"));
}

TEST(Import, RefusesAShortMaskThatCannotHideKeys) {
  const auto heads = [](const char* name, const char* length) {
    return value_info(name, FLOAT, {"2", "3", length, "8"});
  };
  const auto bytes = test::model(
      {.nodes = {node("Attention", {"q", "k", "v", "mask"}, {"y"})},
       .initializers = {},
       .inputs = {heads("q", "4"), heads("k", "6"), heads("v", "6"), value_info("mask", UINT16, {"4", "2"})},
       .outputs = {value_info("y", FLOAT, {})}},
      23);
  EXPECT_THAT(error_of(bytes), HasSubstr("attn_mask is u16"));
}

TEST(Import, TakesAWindowOfAnyLength) {
  const auto heads = [](const char* name) { return value_info(name, FLOAT, {"1", "1", "4", "8"}); };
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  const auto with_window = [&](int64_t left) {
    return import(test::model(
        {.nodes = {node("Attention", {"q", "k", "v"}, {"y"}, {test::attribute("left_window_size", left)})},
         .initializers = {},
         .inputs = {heads("q"), heads("k"), heads("v")},
         .outputs = {value_info("y", FLOAT, {})}},
        24));
  };
  std::vector<Tensor> inputs;
  for (int i = 0; i < 3; ++i) {
    inputs.emplace_back(DType::f32, Shape{1, 1, 4, 8});
    for (int64_t j = 0; j < inputs.back().size(); ++j)
      inputs.back().data<float>()[j] = static_cast<float>((i + 3) * j % 7) / 7;
  }
  const Tensor all = ops::evaluate(*with_window(4).graph, inputs)[0],
               more = ops::evaluate(*with_window(most).graph, inputs)[0];
  for (int64_t j = 0; j < all.size(); ++j) EXPECT_EQ(all.data<float>()[j], more.data<float>()[j]);
}

TEST(Import, TakesNodesWithoutOutputs) {
  const auto pictures = [](const char* name) { return value_info(name, FLOAT, {"1", "2", "3", "3"}); };
  const auto model = import(test::model(
      {.nodes = {node("Tile", {"x", "repeats"}, {}),
                 node("MaxPool", {"picture"}, {}, {test::attribute("kernel_shape", {2, 2})}),
                 node("DeformConv", {"picture", "weight", "offset"}, {}),
                 node("Expand", {"one", "repeats"}, {}), node("Relu", {"x"}, {"y"})},
       .initializers = {tensor<int64_t>("one", INT64, {1}, {1}), tensor<int64_t>("repeats", INT64, {1}, {1})},
       .inputs = {value_info("x", FLOAT, {"3"}), pictures("picture"),
                  value_info("weight", FLOAT, {"1", "2", "1", "1"}), pictures("offset")},
       .outputs = {value_info("y", FLOAT, {})}},
      19));
  EXPECT_EQ(ir::dims_text(model.graph->value(model.graph->outputs[0].value).type.shape), "3");
}

TEST(Import, ListsAllUnsupportedOpsAtOnce) {
  const std::string error =
      error_of(test::model({.nodes = {node("Foo", {"x"}, {"a"}, {}, "first"), node("Foo", {"a"}, {"b"}),
                                      node("Bar", {"b"}, {"y"}, {}, "", "my.ops")},
                            .initializers = {},
                            .inputs = {value_info("x", FLOAT, {"3"})},
                            .outputs = {value_info("y", FLOAT, {})}}));
  EXPECT_THAT(error, HasSubstr("Foo (domain ai.onnx, opset 17) of node 'first' and 1 more"));
  EXPECT_THAT(error, HasSubstr("Bar (domain my.ops, opset 1) of node 'y'"));
}

TEST(Import, RefusesBrokenGraphsByName) {
  const auto with = [](std::vector<Message> nodes) {
    return test::model({.nodes = std::move(nodes),
                        .initializers = {},
                        .inputs = {value_info("x", FLOAT, {"3"})},
                        .outputs = {value_info("y", FLOAT, {})}});
  };
  EXPECT_THAT(
      error_of(with({node("Add", {"x", "y"}, {"z"}, {}, "one"), node("Relu", {"z"}, {"y"}, {}, "two")})),
      HasSubstr("cycle through node 'one'"));
  EXPECT_THAT(error_of(with({node("Relu", {"nowhere"}, {"y"}, {}, "one")})),
              HasSubstr("node 'one' (Relu) reads 'nowhere'"));
  EXPECT_THAT(error_of(with({node("Relu", {"x"}, {"y"}), node("Neg", {"x"}, {"y"}, {}, "again")})),
              HasSubstr("node 'again' makes 'y'"));
  EXPECT_THAT(error_of(with({node("Relu", {"x"}, {"z"})})), HasSubstr("nothing makes the output 'y'"));
  EXPECT_THAT(error_of(with({node("Relu", {"x", "x"}, {"y"}, {}, "wide")})),
              HasSubstr("node 'wide' (Relu): it has 2 inputs"));
  EXPECT_THAT(error_of(with({node("LeakyRelu", {"x"}, {"y"}, {attribute("alpha", 3)})})),
              HasSubstr("attribute 'alpha' must be a float, not an int"));
  EXPECT_THAT(error_of(test::model(relu_of({"-7"}))), HasSubstr("input 'x' has the negative dimension -7"));
  EXPECT_THAT(error_of(test::model(relu_of({"3"}), 900)), HasSubstr("opset 900"));
}

TEST(Import, SurvivesEveryTruncation) {
  const std::string bytes = test::model(relu_of({"n", "4"}));
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_NE(error_of(bytes.substr(0, length)), "no error") << length;
  EXPECT_EQ(error_of(bytes), "no error");
}

TEST(Import, ChecksTensorData) {
  const auto with = [](const Message& initializer) {
    GraphParts parts = relu_of({"3"});
    parts.nodes = {node("Add", {"x", "w"}, {"y"})};
    parts.initializers = {initializer};
    return test::model(parts);
  };
  EXPECT_EQ(error_of(with(tensor<float>("w", FLOAT, {3}, {1, 2, 3}))), "no error");
  EXPECT_THAT(error_of(with(tensor<float>("w", FLOAT, {4}, {1, 2, 3}))),
              HasSubstr("tensor 'w': its data has 12 bytes"));
  EXPECT_THAT(error_of(with(tensor<float>("w", FLOAT, {-3}, {1, 2, 3}))), HasSubstr("negative dimension"));
  EXPECT_THAT(error_of(with(tensor<float>("w", FLOAT, {int64_t{1} << 40, int64_t{1} << 40}, {}))),
              HasSubstr("too many elements"));
  EXPECT_THAT(error_of(with(tensor<float>("w", 14, {3}, {1, 2, 3}))), HasSubstr("COMPLEX64"));
}

TEST(Import, ReadsTypedFieldsAndFourBitIntegers) {
  GraphParts parts = relu_of({"3"});
  Message typed = Message().integer(1, 3).integer(2, INT4).text(8, "w").integer(5, 0x7f).integer(5, 0x08);
  parts.outputs.push_back(value_info("w", INT4, {}));
  parts.initializers = {typed};
  const auto model = import(test::model(parts, 21));
  const Tensor& w = model.graph->value(model.graph->find_value("w")).constant;
  EXPECT_EQ(int(w.data<Int4>()[0]), -1);
  EXPECT_EQ(int(w.data<Int4>()[1]), 7);
  EXPECT_EQ(int(w.data<Int4>()[2]), -8);
}

TEST(Import, InlinesFunctionsWithTheirAttributes) {
  const Message function =
      Message()
          .text(1, "Leak")
          .text(10, "local")
          .text(4, "a")
          .text(5, "b")
          .text(6, "slope")
          .message(7, node("LeakyRelu", {"a"}, {"b"}, {reference_attribute("alpha", "slope", 1)}))
          .message(9, Message().text(1, "").integer(2, 17));
  GraphParts parts = relu_of({"2"});
  parts.nodes = {node("Leak", {"x"}, {"h"}, {attribute("slope", 0.25f)}, "", "local"),
                 node("Leak", {"h"}, {"y"}, {}, "", "local")};
  const auto model = import(test::model(parts, 17, {function}));
  const auto outputs = ops::evaluate(*model.graph, std::vector<Tensor>{Tensor::of<float>({2}, {-4, 4})});
  EXPECT_FLOAT_EQ(outputs[0].data<float>()[0], -0.01f);
  EXPECT_FLOAT_EQ(outputs[0].data<float>()[1], 4);
}

TEST(Import, StopsFunctionsThatCallThemselves) {
  const Message function = Message()
                               .text(1, "Loop")
                               .text(10, "local")
                               .text(4, "a")
                               .text(5, "b")
                               .message(7, node("Loop", {"a"}, {"b"}, {}, "", "local"))
                               .message(9, Message().text(1, "local").integer(2, 1));
  GraphParts parts = relu_of({"2"});
  parts.nodes = {node("Loop", {"x"}, {"y"}, {}, "", "local")};
  EXPECT_THAT(error_of(test::model(parts, 17, {function})), HasSubstr("in a circle"));
}

class ExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("burnish_external_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "model");
    const float data[4] = {9, 1, 2, 3};
    for (const auto& path : {folder_ / "model" / "w.bin", folder_ / "secret.bin"})
      std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), sizeof data);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string import_with(const std::string& location, int64_t offset, int64_t length) {
    GraphParts parts = relu_of({"3"});
    parts.nodes = {node("Add", {"x", "w"}, {"y"})};
    const auto entry = [](const std::string& key, const std::string& value) {
      return Message().text(1, key).text(2, value);
    };
    parts.initializers = {Message()
                              .integer(1, 3)
                              .integer(2, FLOAT)
                              .text(8, "w")
                              .message(13, entry("location", location))
                              .message(13, entry("offset", std::to_string(offset)))
                              .message(13, entry("length", std::to_string(length)))
                              .integer(14, 1)};
    const auto path = folder_ / "model" / "model.onnx";
    std::ofstream(path, std::ios::binary) << test::model(parts);
    try {
      const auto model = onnx::import_file(path.string());
      const Tensor& w = model.graph->value(model.graph->find_value("w")).constant;
      return std::to_string(static_cast<int>(w.data<float>()[0]));
    } catch (const Error& error) {
      return error.what();
    }
  }

  std::filesystem::path folder_;
};

TEST_F(ExternalData, IsMappedFromTheModelsFolder) { EXPECT_EQ(import_with("w.bin", 4, 12), "1"); }

TEST_F(ExternalData, MayNotLeaveTheModelsFolder) {
  EXPECT_THAT(import_with("../secret.bin", 4, 12), HasSubstr("outside the model's folder"));
  EXPECT_THAT(import_with((folder_ / "secret.bin").string(), 4, 12),
              HasSubstr("relative to the model's folder"));
  std::filesystem::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  EXPECT_THAT(import_with("link.bin", 4, 12), HasSubstr("outside the model's folder"));
}

TEST_F(ExternalData, MustLieInsideItsFile) {
  EXPECT_THAT(import_with("w.bin", 8, 12), HasSubstr("beyond the 16 bytes"));
  EXPECT_THAT(import_with("w.bin", -4, 12), HasSubstr("not a byte count"));
  EXPECT_THAT(import_with("missing.bin", 0, 12),
              HasSubstr("tensor 'w': its external data 'missing.bin' cannot be read"));
}

}  // namespace
}  // namespace burnish
