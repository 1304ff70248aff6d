// Bodies of pointwise ops, with broadcasting, between any layouts.
#include "cuda/body_text.h"
#include "cuda/elementwise.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Problem;

class Pointwise : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.pointwise"; }
  bool takes_pitch() const override { return true; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    for (size_t i = 0; i < problem.nodes().size(); ++i)
      if (Support support = BodyText::supports(problem, i); !support) return support;
    if (problem.nodes().empty() || problem.output_count() == 0) return Support::no("the body is empty");
    if (Support support = supports_layouts(problem); !support) return support;
    for (int i = 0; i < problem.input_count(); ++i)
      if (!broadcast_strides(problem.input(i), problem.output(0).shape))
        return Support::no("it cannot be told how input {} is repeated", i);
    for (int i = 0; i < problem.output_count(); ++i)
      if (!(problem.output(i).shape == problem.output(0).shape))
        return Support::no("outputs have different shapes");
    return Support::yes();
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return uniform_layouts(problem);
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    BodyText body(problem);
    const Elementwise kernel = elementwise(problem);
    std::string text = kernel.text([&](const std::vector<std::string>& names) {
      for (int i = 0; i < problem.input_count(); ++i)
        body.define(problem.body().inputs()[static_cast<size_t>(i)], names[static_cast<size_t>(i)]);
      for (size_t i = 0; i < problem.nodes().size(); ++i) body.add_node(i);
      return body.statements_to_outputs();
    });
    return body.functions() + text;
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    Sizes sizes;
    elementwise(problem).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string&,
                               const Arch&) const override {
    return {elementwise(problem).launch(elementwise(written).vector_width())};
  }

  int in_place_input(const Problem& problem) const override {
    for (int i = 0; i < problem.input_count(); ++i)
      if (!problem.is_weight(i) && problem.input(i) == problem.output(0)) return i;
    return -1;
  }

 private:
  static Elementwise elementwise(const Problem& problem) {
    const ir::TensorType& output = problem.output(0);
    const std::vector<int> order = physical_order(output.rank(), output.layout);
    const auto ordered = [&](const std::vector<ir::Dim>& logical) {
      std::vector<ir::Dim> physical;
      for (int d : order) physical.push_back(logical[static_cast<size_t>(d)]);
      return physical;
    };
    std::vector<Accessed> inputs, outputs;
    for (int i = 0; i < problem.input_count(); ++i)
      inputs.push_back({operand_pointer(problem, i), problem.input(i).dtype,
                        ordered(*broadcast_strides(problem.input(i), output.shape))});
    for (int i = 0; i < problem.output_count(); ++i)
      outputs.push_back(
          {fmt::format("p.y{}", i), problem.output(i).dtype, ordered(logical_strides(problem.output(i)))});
    return Elementwise("kernel", ordered(output.shape), std::move(inputs), std::move(outputs));
  }
};

}  // namespace

const device::Tactic& pointwise_tactic() {
  static const Pointwise tactic;
  return tactic;
}

}  // namespace burnish::cuda
