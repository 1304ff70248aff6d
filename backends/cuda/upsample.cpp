// Images of which each pixel is repeated a whole number of times along each axis, with any pointwise body
// beside and behind: the nearest pixel of most decoders and feature pyramids. An axis of the result is two,
// the pixel's and the repetition's, along which the image has a stride of 0; all is then one walk over affine
// places.
#include <algorithm>

#include "cuda/body_text.h"
#include "cuda/elementwise.h"
#include "cuda/tactics.h"
#include "ops/resize.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

struct Upsampling {
  size_t node = 0;               ///< of the problem's nodes
  int image = -1;                ///< input of the problem
  std::vector<int64_t> factors;  ///< of each logical dimension
};

/// How often each element is repeated; 0 if the axis is sampled in another way.
int64_t factor_of(const ops::ResizeAttributes& attributes, const ops::ResizeAxis& axis) {
  if (axis.input < 1 || axis.output % axis.input) return 0;
  const int64_t factor = axis.output / axis.input;
  const ops::ResizeTaps taps = ops::resize_taps(attributes, axis);
  for (int64_t i = 0; i < axis.output; ++i) {
    const size_t at = static_cast<size_t>(i);
    if (taps.taps != 1 || taps.outside[at] || taps.indices[at] != i / factor || taps.weights[at] != 1)
      return 0;
  }
  return factor;
}

/// The factors of a resize; none where they are not whole or not known at build.
std::vector<int64_t> factors_of(const Problem& problem, const ir::Node& node) {
  const auto& attributes = node.attributes.as<ops::ResizeAttributes>();
  const std::vector<Dim>& shape = problem.body().value(node.inputs[0]).type.shape;
  const bool by_scales = node.inputs.size() == 3 && node.inputs[2];
  const std::string& coordinates = attributes.coordinate_transformation_mode;
  const bool of_any_size = by_scales && (coordinates == "asymmetric" || coordinates == "half_pixel");
  if (attributes.mode != "nearest" || (!ir::constants(shape) && !of_any_size)) return {};
  constexpr int64_t long_axis = 1 << 15;  // for a size that is not known, on which no coordinate depends then
  Shape sizes;
  for (const Dim& dim : shape) sizes.push_back(dim.is_constant() ? dim.constant() : long_axis);
  std::vector<Tensor> inputs = {Tensor::view(DType::u8, sizes, nullptr)};
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const bool given = node.inputs[i] && !ir::product(problem.body().value(node.inputs[i]).type.shape).is(0);
    inputs.push_back(given ? problem.literal(node.inputs[i]) : Tensor());
    if (given && inputs.back().empty()) return {};
  }
  std::vector<int64_t> factors;
  for (const ops::ResizeAxis& axis : ops::resize_axes(attributes, inputs)) {
    factors.push_back(factor_of(attributes, axis));
    if (factors.back() == 0) return {};
  }
  return factors;
}

Support analyse(const Problem& problem, Upsampling& into) {
  const ir::Graph& body = problem.body();
  const std::vector<Dim>& shape = problem.output(0).shape;
  bool found = false;
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    const ir::Node& node = problem.node(i);
    if (node.op != &ops::def::resize) {
      if (Support support = BodyText::supports(problem, i); !support) return support;
      continue;
    }
    if (found) return Support::no("two images are resized");
    found = true;
    into.node = i;
    into.image = problem.input_index(node.inputs[0]);
    if (into.image < 0) return Support::no("the image is made inside the region");
    into.factors = factors_of(problem, node);
    if (into.factors.empty()) return Support::no("not every pixel so many times");
    const std::vector<Dim>& made = body.value(node.outputs[0]).type.shape;
    if (!(made == shape)) return Support::no("the image is repeated once more");
    for (size_t d = 0; d < made.size(); ++d)
      if (!(made[d] == problem.input(into.image).shape[d] * into.factors[d]))
        return Support::no("it cannot be told that it is as large");
  }
  if (!found) return Support::no("nothing is resized");
  for (int i = 0; i < problem.output_count(); ++i)
    if (!(problem.output(i).shape == shape)) return Support::no("outputs have different shapes");
  for (size_t i = 0; i < problem.nodes().size(); ++i)
    for (ir::ValueId value : problem.node(i).inputs) {
      const int input = i == into.node ? -1 : problem.input_index(value);
      if (input >= 0 && !broadcast_strides(problem.input(input), shape))
        return Support::no("it cannot be told how input {} is repeated", input);
    }
  return Support::yes();
}

class Upsample : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.upsample"; }
  bool takes_pitch() const override { return true; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    Upsampling upsampling;
    return analyse(problem, upsampling);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return uniform_layouts(problem);
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    const Read read = reads(problem);
    BodyText body(problem);
    const std::string text = elementwise(problem, read).text([&](const std::vector<std::string>& names) {
      for (size_t i = 0; i < names.size(); ++i) body.define(read.values[i], names[i]);
      for (size_t i = 0; i < problem.nodes().size(); ++i)
        if (i != read.node) body.add_node(i);
      return body.statements_to_outputs();
    });
    return body.functions() + text;
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    Sizes sizes;
    elementwise(problem, reads(problem)).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string&,
                               const Arch&) const override {
    const int vector = elementwise(written, reads(written)).vector_width();
    return {elementwise(problem, reads(problem)).launch(vector)};
  }

 private:
  /// What an element is made of: the values, the image's among them, and how they lie.
  struct Read {
    size_t node;
    std::vector<ir::ValueId> values;
    std::vector<Accessed> operands;
    std::vector<Dim> domain;
    std::vector<int> order;        ///< of the result's dimensions in memory
    std::vector<int64_t> factors;  ///< of the logical ones

    /// Per axis of the domain, of an operand with these strides in the result's logical dimensions.
    Strides walk(const Strides& strides) const {
      Strides walked;
      for (int d : order) {
        const size_t at = static_cast<size_t>(d);
        walked.push_back(strides[at] * factors[at]);
        if (factors[at] > 1) walked.push_back(strides[at]);
      }
      return walked;
    }
  };

  static Read reads(const Problem& problem) {
    Upsampling upsampling;
    const Support support = analyse(problem, upsampling);
    require(static_cast<bool>(support), "internal: {}", support.reason());
    const ir::TensorType &y = problem.output(0), &image = problem.input(upsampling.image);
    Read read{upsampling.node, {}, {}, {}, physical_order(y.rank(), y.layout), upsampling.factors};
    const Strides own = logical_strides(image);
    Strides repeated;
    for (int d : read.order) {
      const size_t at = static_cast<size_t>(d);
      read.domain.push_back(image.shape[at]);
      repeated.push_back(own[at]);
      if (read.factors[at] == 1) continue;
      read.domain.push_back(read.factors[at]);
      repeated.push_back(0);
    }
    read.values.push_back(problem.node(read.node).outputs[0]);
    read.operands.push_back({operand_pointer(problem, upsampling.image), image.dtype, repeated});
    for (size_t i = 0; i < problem.nodes().size(); ++i)
      for (ir::ValueId value : problem.node(i).inputs) {
        const int input = i == read.node ? -1 : problem.input_index(value);
        const bool known = std::find(read.values.begin(), read.values.end(), value) != read.values.end();
        if (input < 0 || known) continue;
        read.values.push_back(value);
        read.operands.push_back({operand_pointer(problem, input), problem.input(input).dtype,
                                 read.walk(*broadcast_strides(problem.input(input), y.shape))});
      }
    return read;
  }

  static Elementwise elementwise(const Problem& problem, const Read& read) {
    std::vector<Accessed> outputs;
    for (int i = 0; i < problem.output_count(); ++i)
      outputs.push_back(
          {fmt::format("p.y{}", i), problem.output(i).dtype, read.walk(logical_strides(problem.output(i)))});
    return Elementwise("kernel", read.domain, read.operands, std::move(outputs));
  }
};

}  // namespace

const device::Tactic& upsample_tactic() {
  static const Upsample tactic;
  return tactic;
}

}  // namespace burnish::cuda
