// Concatenations of channels written in place: on a device whose kernels take pitches, all but those of one
// op.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "../support/random_tensor.h"
#include "base/distance.h"
#include "cover/cover.h"
#include "device/host_device.h"
#include "device/layout.h"
#include "ir/attribute_value.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "plan/retarget.h"
#include "runtime/execution.h"
#include "shadow.h"

namespace burnish {
namespace {

/// What the reference makes, from and to memory with pitches.
class PitchedKernel : public device::Kernel {
 public:
  PitchedKernel(device::Problem problem, bool spills) : problem_(std::move(problem)), spills_(spills) {}
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<Bound>(*this, arguments);
  }

 private:
  class Bound : public device::BoundKernel {
   public:
    Bound(const PitchedKernel& kernel, const device::BindArguments& arguments)
        : kernel_(kernel),
          inputs_(arguments.inputs.begin(), arguments.inputs.end()),
          outputs_(arguments.outputs.begin(), arguments.outputs.end()) {}
    void enqueue(device::Stream&, const device::Arguments& arguments) override {
      const device::Problem& problem = kernel_.problem_;
      std::vector<Tensor> inputs;
      size_t constant = 0;
      for (size_t i = 0; i < inputs_.size(); ++i) {
        const device::BoundTensor& type = inputs_[i];
        inputs.push_back(
            problem.is_weight(static_cast<int>(i))
                ? arguments.constants[constant++]
                : device::from_layout(arguments.inputs[i], type.dtype, type.shape, type.layout, type.pitch));
      }
      const std::vector<Tensor> made = ops::evaluate(problem.body(), inputs);
      for (size_t k = 0; k < made.size(); ++k)
        write(made[k], outputs_[k], static_cast<char*>(arguments.outputs[k]));
    }

   private:
    void write(const Tensor& made, const device::BoundTensor& type, char* to) const {
      const Tensor laid_out = device::to_layout(made, type.layout);
      const int64_t size = dtype_bytes(type.dtype);
      const int64_t piece = type.pitch ? type.shape[1] * size : laid_out.bytes(), step = type.pitch * size;
      for (int64_t row = 0; row * piece < laid_out.bytes(); ++row) {
        std::memcpy(to + row * step, static_cast<const char*>(laid_out.raw()) + row * piece,
                    static_cast<size_t>(piece));
        const bool last = (row + 1) * piece == laid_out.bytes();
        if (kernel_.spills_ && step > 0 && !last)
          std::memset(to + row * step + piece, 0, static_cast<size_t>(step - piece));
      }
    }

    const PitchedKernel& kernel_;
    std::vector<device::BoundTensor> inputs_, outputs_;
  };

  device::Problem problem_;
  bool spills_;
};

bool has(const device::Problem& problem, const ops::OpDef& op) {
  for (size_t i = 0; i < problem.nodes().size(); ++i)
    if (problem.node(i).op == &op) return true;
  return false;
}

/// Takes every problem, with pitches all but sigmoids; and tanh, wrongly, writes between its pixels.
class AnyTactic : public device::Tactic {
 public:
  explicit AnyTactic(bool pitched) : pitched_(pitched) {}
  std::string name() const override { return pitched_ ? "test.pitched" : "test.dense"; }
  bool takes_pitch() const override { return pitched_; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (problem.nodes().size() > 1 && has(problem, ops::def::concat))
      return Support::no("it is no concatenation alone");
    return has(problem, ops::def::sigmoid) && pitched_ ? Support::no("it is dense") : Support::yes();
  }
  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo&) const override {
    std::vector<ir::Layout> last;
    for (int i = 0; i < problem.input_count(); ++i)
      last.push_back(problem.input(i).rank() == 4 && !problem.is_weight(i) ? ir::Layout::nhwc
                                                                           : ir::Layout::plain);
    for (int i = 0; i < problem.output_count(); ++i)
      last.push_back(problem.output(i).rank() == 4 ? ir::Layout::nhwc : ir::Layout::plain);
    return {last};
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string& code, device::Device&) const override {
    // A kernel must have been made for the very problem that it is loaded for.
    EXPECT_EQ(code, problem.text());
    return std::make_unique<PitchedKernel>(problem, has(problem, ops::def::tanh));
  }
  std::string compile(const device::Problem& problem, const device::Candidate&,
                      device::Device&) const override {
    return problem.text();
  }

 private:
  bool pitched_;
};

device::DeviceInfo describe() {
  device::DeviceInfo info = device::host_info(1);
  info.backend = info.arch = info.tuning_key = "pitches";
  return info;
}

class PitchDevice : public device::HostDevice {
 public:
  explicit PitchDevice(bool takes_pitches = true) : HostDevice(describe()), takes_pitches_(takes_pitches) {}
  void execute(const std::function<void()>& body) override { body(); }
  std::span<const device::Tactic* const> tactics() const override {
    static const AnyTactic pitched(true), dense(false);
    static const std::array<const device::Tactic*, 2> table = {&pitched, &dense};
    return std::span(table).subspan(takes_pitches_ ? 0 : 1);
  }

 private:
  bool takes_pitches_;
};

/// A network of images [2, channels, 4, 3], or of another size.
class Network {
 public:
  explicit Network(unsigned seed, bool with_spills = true, Shape of = {2, 8, 4, 3})
      : random(seed), spills(with_spills), shape(std::move(of)), graph(std::make_shared<ir::Graph>("main")) {
    images.push_back(graph->add_input("x", {DType::f32, {shape.begin(), shape.end()}}));
  }

  ir::ValueId node(const ops::OpDef& op, std::vector<ir::ValueId> inputs,
                   const std::vector<ir::NamedAttribute>& attributes = {}) {
    ir::Attributes all = op.default_attributes;
    for (const auto& [name, value] : attributes) ir::set_attribute(all, name, value);
    images.push_back(graph->node(ops::add_node(*graph, op, all, std::move(inputs), 1, op.name)).outputs[0]);
    return images.back();
  }
  ir::ValueId concat(std::vector<ir::ValueId> parts) {
    return node(ops::def::concat, std::move(parts), {{"axis", int64_t{1}}});
  }
  ir::ValueId conv(ir::ValueId x, int64_t filters) {
    const Tensor weights = testing::random_tensor(DType::f32, {filters, channels(x), 1, 1}, false, random);
    return node(ops::def::conv, {x, graph->add_constant(graph->fresh_name("w"), weights)});
  }
  int64_t channels(ir::ValueId value) const { return graph->value(value).type.shape[1].constant(); }
  ir::ValueId any() { return images[random() % images.size()]; }
  ir::ValueId recent() { return random() % 3 ? images.back() : any(); }

  void grow() {
    static const int64_t sizes[] = {4, 8, 12, 5};
    const ir::ValueId x = recent();
    switch (random() % 8) {
      case 0:
        node(ops::def::relu, {x});
        break;
      case 1:
        node(random() % 3 ? ops::def::relu : ops::def::sigmoid, {x});
        break;
      case 2:
        node(random() % 3 || !spills ? ops::def::relu : ops::def::tanh, {x});
        break;
      case 3:
        node(ops::def::add, {x, conv(any(), channels(x))});
        break;
      case 4:
        conv(x, sizes[random() % std::size(sizes)]);
        break;
      default: {
        std::vector<ir::ValueId> parts = {x};
        for (unsigned i = 1 + random() % 3; i > 0; --i)
          parts.push_back(random() % 2 ? conv(any(), sizes[random() % std::size(sizes)]) : any());
        int64_t wide = 0;
        for (ir::ValueId part : parts) wide += channels(part);
        if (wide < 200) concat(parts);
      }
    }
  }

  std::mt19937 random;
  bool spills;  // whether kernels that are wrong with a pitch are among them
  Shape shape;  // of the input
  std::shared_ptr<ir::Graph> graph;
  std::vector<ir::ValueId> images;
};

int pitches(const ir::Graph& graph) {
  int count = 0;
  for (size_t i = 0; i < graph.value_capacity(); ++i)
    count += graph.value({static_cast<int32_t>(i)}).type.pitch != 0;
  return count;
}

int concats(const plan::Program& program, const plan::Segment& segment) {
  int count = 0;
  for (const plan::Step& step : segment.steps)
    if (step.kernel && program.graph->node(step.node).op == &ops::def::concat) ++count;
  return count;
}

/// Builds, plans and runs; expects sound plans and the reference's results. The kernels that concatenate.
int concats_after_build(Network& network, bool measure = false, int* pitched = nullptr) {
  const auto device = std::make_shared<PitchDevice>();
  tune::TunerOptions tuning;
  tuning.measure = measure;
  tuning.budget_us = 50;
  tune::Tuner tuner(device, std::make_shared<tune::TuningCache>(""), tuning);
  const std::shared_ptr<ir::Graph> graph = network.graph->clone();
  cover::Covered covered = cover::cover(*graph, tuner, {});
  const auto program = plan::load_program(graph, std::move(covered.choices), {}, device);
  if (pitched) *pitched += pitches(*graph);
  int left = 0;
  for (int streams : {1, 3}) {
    program->streams = streams;
    plan::Knowledge knowledge;
    knowledge.shapes[graph->inputs()[0].index] = network.shape;
    const plan::Segment segment = plan::plan_segment(*program, graph->order(), 0, knowledge);
    EXPECT_EQ(testing::Shadow(*program, segment, {}).fault(), "") << ir::print(*graph);
    left = concats(*program, segment);
  }
  runtime::Execution execution(program);
  const auto stream = device->create_stream();
  const Tensor x = testing::random_tensor(DType::f32, network.shape, false, network.random);
  const std::vector<Tensor> inputs = {x};
  const std::vector<Tensor> expected = ops::evaluate(*network.graph, inputs),
                            actual = execution.run(inputs, {}, *stream);
  EXPECT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < std::min(actual.size(), expected.size()); ++i)
    EXPECT_EQ(relative_error(actual[i], expected[i]), 0) << "output " << i << "\n" << ir::print(*graph);
  return left;
}

TEST(Interleave, DenseBlocksAreOneBuffer) {
  Network network(1);
  ir::ValueId block = network.node(ops::def::relu, {network.images[0]});
  for (int layer = 0; layer < 6; ++layer) {
    const ir::ValueId grown = network.conv(network.node(ops::def::relu, {block}), 4);
    block = network.concat({block, grown});
  }
  network.graph->outputs.push_back({"y", network.node(ops::def::relu, {block})});
  EXPECT_EQ(concats_after_build(network), 0);
  concats_after_build(network, true);  // whose kernels are then faster, the clock says
}

TEST(Interleave, AResultOfTheGraphIsWrittenInPlace) {
  Network network(2);
  const ir::ValueId x = network.images[0];
  network.graph->outputs.push_back({"y", network.concat({network.conv(x, 12), network.conv(x, 4)})});
  // The caller wants plain tensors: the whole is there channels last, and a change of layout follows.
  EXPECT_EQ(concats_after_build(network), 0);
}

/// Each leaves the concatenation to a kernel.
TEST(Interleave, RefusesWhatHasNoPlaceOfItsOwn) {
  const auto concats_of = [](const std::function<std::vector<ir::ValueId>(Network&)>& parts) {
    Network network(3);
    const ir::ValueId whole = network.concat(parts(network));
    network.graph->outputs.push_back({"y", network.node(ops::def::relu, {whole})});
    return concats_after_build(network);
  };
  const auto relu = [](Network& network) { return network.node(ops::def::relu, {network.images[0]}); };
  EXPECT_EQ(concats_of([&](Network& n) { return std::vector{relu(n), n.conv(n.images[0], 8)}; }), 0);
  // An input: the change of its layout is written in place.
  EXPECT_EQ(concats_of([&](Network& n) { return std::vector{relu(n), n.images[0]}; }), 0);
  EXPECT_EQ(concats_of([&](Network& n) {
              const ir::ValueId twice = relu(n);
              return std::vector{twice, twice};
            }),
            1);
  EXPECT_EQ(concats_of([&](Network& n) {
              return std::vector{n.conv(n.images[0], 5), relu(n)};
            }),
            1);  // not aligned
  EXPECT_EQ(concats_of([&](Network& n) {
              return std::vector{relu(n), n.node(ops::def::sigmoid, {n.images[0]})};
            }),
            1);
  EXPECT_EQ(concats_of([&](Network& n) {  // read by a kernel that takes dense tensors
              const ir::ValueId part = relu(n);
              n.graph->outputs.push_back({"s", n.node(ops::def::sigmoid, {part})});
              return std::vector{part, n.conv(n.images[0], 8)};
            }),
            1);
}

TEST(Interleave, OneWholeTakesAPartOfTwo) {
  Network network(4);
  const ir::ValueId part = network.conv(network.images[0], 8);
  const ir::ValueId a = network.concat({part, network.conv(network.images[0], 4)}),
                    b = network.concat({part, network.conv(network.images[0], 12)});
  network.graph->outputs.push_back({"a", network.node(ops::def::relu, {a})});
  network.graph->outputs.push_back({"b", network.node(ops::def::relu, {b})});
  EXPECT_EQ(concats_after_build(network), 1);
}

TEST(Interleave, RefusesAKernelThatWritesBetweenItsPixels) {
  Network network(5);
  const ir::ValueId x = network.images[0];
  const ir::ValueId whole = network.concat({network.node(ops::def::tanh, {x}), network.conv(x, 8)});
  network.graph->outputs.push_back({"y", network.node(ops::def::relu, {whole})});
  EXPECT_EQ(concats_after_build(network, true), 1);
}

TEST(Interleave, ADeviceThatTakesNoPitchesGetsDenseTensors) {
  Network network(6);
  ir::ValueId block = network.conv(network.images[0], 8);
  for (int layer = 0; layer < 3; ++layer) block = network.concat({block, network.conv(block, 4)});
  network.graph->outputs.push_back({"y", network.node(ops::def::relu, {block})});
  tune::Tuner tuner(std::make_shared<PitchDevice>(), std::make_shared<tune::TuningCache>(""),
                    {.measure = false});
  const std::shared_ptr<ir::Graph> graph = network.graph->clone();
  cover::Covered covered = cover::cover(*graph, tuner, {});
  EXPECT_EQ(pitches(*graph), 6);
  const std::shared_ptr<device::Device> other = std::make_shared<PitchDevice>(false);
  EXPECT_FALSE(plan::retarget(*graph, covered.choices, *other, false).empty());
  EXPECT_EQ(pitches(*graph), 0);
  runtime::Execution execution(plan::load_program(graph, std::move(covered.choices), {}, other));
  const auto stream = other->create_stream();
  const Tensor x = testing::random_tensor(DType::f32, network.shape, false, network.random);
  const std::vector<Tensor> inputs = {x};
  EXPECT_EQ(relative_error(execution.run(inputs, {}, *stream)[0], ops::evaluate(*network.graph, inputs)[0]),
            0);
}

/// Where only kernels make and take parts of wider tensors, not callers, a damaged engine has none.
TEST(Interleave, WhatCallersHandOverIsDense) {
  Network network(7);
  const ir::ValueId part = network.conv(network.images[0], 8);
  network.graph->outputs.push_back({"y", network.concat({part, network.conv(network.images[0], 4)})});
  const auto device = std::make_shared<PitchDevice>();
  tune::Tuner tuner(device, std::make_shared<tune::TuningCache>(""), {.measure = false});
  cover::Covered covered = cover::cover(*network.graph, tuner, {});
  EXPECT_EQ(pitches(*network.graph), 2);
  EXPECT_TRUE(plan::retarget(*network.graph, covered.choices, *device, false).empty());
  EXPECT_EQ(pitches(*network.graph), 2);
  ir::TensorType& input = network.graph->value(network.graph->inputs()[0]).type;
  input.layout = ir::Layout::nhwc;
  input.pitch = 1 << 20;
  plan::retarget(*network.graph, covered.choices, *device, false);
  EXPECT_EQ(pitches(*network.graph), 0);
}

TEST(Interleave, OnePixelLiesAlikeInAllLayouts) {
  for (int64_t images : {1, 2}) {
    Network network(8, true, {images, 8, 1, 1});
    const ir::ValueId x = network.images[0], part = network.conv(x, 8);
    const ir::ValueId whole = network.concat({part, x, network.node(ops::def::relu, {x})});
    network.graph->outputs.push_back({"y", network.node(ops::def::relu, {whole})});
    network.graph->outputs.push_back({"part", part});
    concats_after_build(network);
  }
}

TEST(Interleave, RandomNetworks) {
  int pitched = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    const bool measure = seed % 4 == 0;  // which finds kernels that are wrong
    Network network(seed, measure);
    for (unsigned steps = 4 + network.random() % 20; steps > 0; --steps) network.grow();
    network.graph->outputs.push_back({"last", network.node(ops::def::relu, {network.images.back()})});
    network.graph->outputs.push_back({"some", network.any()});
    concats_after_build(network, measure, &pitched);
    if (HasFailure()) return;
  }
  EXPECT_GT(pitched, 20);
}

}  // namespace
}  // namespace burnish
