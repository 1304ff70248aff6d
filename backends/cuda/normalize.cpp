// Norms over whole runs of memory: layer and RMS norms from any axis on and with their statistics, instance
// and group norms.
#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

struct Norm {
  Dim rows = 1, length = 1;
  double epsilon = 0;
  bool centred = true;
  bool per_channel = false;  ///< scale and bias by channel of [N, C, ...]
  Dim groups = 1;            ///< of an image
  Dim plane = 1;             ///< elements of a channel
};

Dim product_from(const std::vector<Dim>& shape, size_t first) {
  return ir::product(std::vector<Dim>(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end()));
}

Support analyse(const Problem& problem, Norm& norm) {
  if (problem.nodes().size() != 1) return Support::no("several ops");
  const ir::Node& node = problem.node(0);
  const ir::TensorType& x = problem.body().value(node.inputs[0]).type;
  const auto split = [&](size_t axis) {
    norm.length = product_from(x.shape, axis);
    norm.rows =
        ir::product(std::vector<Dim>(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(axis)));
  };
  if (node.op == &ops::def::layer_norm || node.op == &ops::def::rms_norm) {
    const auto& attributes = node.attributes.as<ops::LayerNormAttributes>();
    norm.epsilon = attributes.epsilon;
    norm.centred = node.op == &ops::def::layer_norm;
    split(static_cast<size_t>(ops::normalize_axis(attributes.axis, x.rank())));
  } else if (node.op == &ops::def::instance_norm) {
    norm.epsilon = node.attributes.as<ops::EpsilonAttributes>().epsilon;
    norm.groups = x.shape[1];
  } else if (node.op == &ops::def::group_norm) {
    norm.epsilon = node.attributes.as<ops::GroupNormAttributes>().epsilon;
    norm.groups = node.attributes.as<ops::GroupNormAttributes>().num_groups;
  } else {
    return Support::no("{} is no norm", node.op->name);
  }
  norm.per_channel = node.op == &ops::def::instance_norm || node.op == &ops::def::group_norm;
  if (norm.per_channel) {
    norm.rows = x.shape[0] * norm.groups;
    norm.plane = product_from(x.shape, 2);
    norm.length =
        (node.op == &ops::def::instance_norm ? Dim(1) : ir::exact_div(x.shape[1], norm.groups)) * norm.plane;
  }
  return Support::yes();
}

Norm norm_of(const Problem& problem) {
  Norm norm;
  const Support support = analyse(problem, norm);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return norm;
}

/// The stride of a norm's scale or bias, broadcast to x, along each of x's dimensions.
std::optional<Strides> spread(const Problem& problem, size_t operand) {
  return broadcast_strides(problem.body().value(problem.node(0).inputs[operand]).type,
                           problem.body().value(problem.node(0).inputs[0]).type.shape);
}

bool given(const Problem& problem, size_t i) {
  return i < problem.node(0).inputs.size() && problem.node(0).inputs[i];
}

class Normalize : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.normalize"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    Norm norm;
    if (Support support = analyse(problem, norm); !support) return support;
    for (int i = 0; i < problem.input_count(); ++i)
      if (problem.input(i).layout != ir::Layout::plain) return Support::no("it takes plain tensors");
    if (problem.output(0).layout != ir::Layout::plain) return Support::no("it gives plain tensors");
    if (!is_floating(problem.output(0).dtype)) return Support::no("it takes floats");
    for (size_t i = 0; i < problem.node(0).inputs.size(); ++i) {
      if (!given(problem, i)) continue;
      if (problem.input_index(problem.node(0).inputs[i]) < 0) return Support::no("an operand is a literal");
      if (i > 0 && !norm.per_channel && !spread(problem, i))
        return Support::no("it cannot be told how operand {} is repeated", i);
    }
    return Support::yes();
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    const Norm norm = norm_of(problem);
    const std::string element = memory_type(problem.output(0).dtype);
    std::string text =
        fmt::format(
            "using Element = {0};\nconstexpr double EPSILON = {1:a};\n"
            "BURNISH_DEVICE const Element* input(const Operands& p) {{ return {2}; }}\n"
            "BURNISH_DEVICE Element* output(const Operands& p) {{ return p.y0; }}\n",
            element, norm.epsilon, operand_pointer(problem, problem.input_index(problem.node(0).inputs[0]))) +
        constants_text({{"CENTRED", norm.centred}});
    text += factor_text(problem, norm, "scale", 1, "1") + factor_text(problem, norm, "bias", 2, "0");
    std::string statistics;
    const char* const values[] = {"", "mean", "deviation"};
    for (int i = 1; i < problem.output_count(); ++i)
      statistics +=
          fmt::format(" p.y{0}[row] = narrow<{1}>({2});", i, memory_type(problem.output(i).dtype), values[i]);
    return text +
           fmt::format(
               "BURNISH_DEVICE void put_statistics(const Operands& p, int row, compute_t<Element> mean, "
               "compute_t<Element> deviation) {{{} }}\n",
               statistics) +
           kernel_text("normalize");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Norm norm = norm_of(problem);
    Sizes sizes;
    sizes.add("length", norm.length);
    sizes.add("groups", norm.groups);
    sizes.add("plane", norm.plane);
    sizes.add("group_channels", norm.per_channel ? ir::exact_div(norm.length, norm.plane) : Dim(1));
    const std::vector<Dim>& shape = problem.body().value(problem.node(0).inputs[0]).type.shape;
    for (size_t d = 0; d < shape.size(); ++d) sizes.add(fmt::format("size{}", d), shape[d]);
    for (size_t i : {1, 2}) {
      if (norm.per_channel || !given(problem, i)) continue;
      const Strides strides = *spread(problem, i);
      for (size_t d = 0; d < shape.size(); ++d) sizes.add(fmt::format("operand{}_s{}", i, d), strides[d]);
    }
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string&,
                               const Arch&) const override {
    Launch launch;
    launch.grid[0] = static_cast<unsigned>(norm_of(problem).rows.constant());
    launch.threads = 256;
    if (launch.grid[0] == 0 || norm_of(problem).length.is(0)) return {};
    return {launch};
  }

 private:
  /// NAME_at(p, s, row, i): the operand's element for element i of a row.
  static std::string factor_text(const Problem& problem, const Norm& norm, const char* name, size_t operand,
                                 const char* missing) {
    const std::string head = fmt::format(
        "BURNISH_DEVICE compute_t<Element> {}_at(const Operands& p, const Sizes& s, int row, int i) {{ ",
        name);
    if (!given(problem, operand)) return head + fmt::format("return {}; }}\n", missing);
    const int input = problem.input_index(problem.node(0).inputs[operand]);
    std::string place = "row % s.groups * s.group_channels + i / s.plane", steps;
    if (!norm.per_channel) {
      place = "0";
      steps = "int64_t rest = int64_t(row) * s.length + i; ";
      for (size_t d = problem.output(0).shape.size(); d-- > 0;) {
        steps += fmt::format("const int at{0} = rest % s.size{0}; rest /= s.size{0}; ", d);
        place += fmt::format(" + at{} * s.operand{}_s{}", d, operand, d);
      }
    }
    return head + steps +
           fmt::format("return compute_t<Element>(widen<{}>(({})[{}])); }}\n",
                       memory_type(problem.input(input).dtype), operand_pointer(problem, input), place);
  }
};

}  // namespace

const device::Tactic& normalize_tactic() {
  static const Normalize tactic;
  return tactic;
}

}  // namespace burnish::cuda
