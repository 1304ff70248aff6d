#include "cuda/per_element.h"

#include <algorithm>
#include <map>

#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

const ElementOp* find_op(const Problem& problem) {
  static const std::map<const ir::Op*, const ElementOp*> known = [] {
    std::map<const ir::Op*, const ElementOp*> made;
    for (auto table : {movement_element_ops(), index_element_ops(), window_element_ops(),
                       reduction_element_ops(), image_element_ops(), quantize_element_ops()})
      for (const ElementOp& op : table) made[op.op] = &op;
    return made;
  }();
  if (problem.nodes().size() != 1) return nullptr;
  const auto found = known.find(problem.node(0).op);
  return found == known.end() ? nullptr : found->second;
}

const ElementOp& op_of(const Problem& problem) {
  const ElementOp* op = find_op(problem);
  require(op != nullptr, "internal: no element's kernel");
  return *op;
}

std::vector<Dim> domain_of(const Problem& problem) {
  const ElementOp& op = op_of(problem);
  return op.domain ? op.domain(problem) : problem.output(0).shape;
}

/// Dimensions and strides of a tensor as sizes NAME_d0, NAME_s0, ...
void add_tensor(Sizes& sizes, const std::string& name, const ir::TensorType& type) {
  const Strides strides = logical_strides(type);
  for (size_t d = 0; d < strides.size(); ++d) {
    sizes.add(fmt::format("{}_d{}", name, d), type.shape[d]);
    sizes.add(fmt::format("{}_s{}", name, d), strides[d]);
  }
}

/// NAME_dim(s, d), its rank and type, and the offset of an element.
std::string tensor_text(const std::string& name, const std::string& title, const ir::TensorType& type) {
  std::string dims, offset;
  for (int64_t d = 0; d < type.rank(); ++d) {
    dims += fmt::format("{}s.{}_d{}", d ? ", " : "", name, d);
    offset += fmt::format(" + int64_t(at[{0}]) * s.{1}_s{0}", d, name);
  }
  std::string upper = title;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fmt::format(
      "using {0} = {1};\nconstexpr int {2}_RANK = {3};\n"
      "BURNISH_DEVICE int {4}_dim(const Sizes& s, int d) {{ const int dims[] = {{{5}}}; return dims[d]; }}\n"
      "BURNISH_DEVICE int64_t {4}_offset(const Sizes& s, const int* at) {{ return 0{6}; }}\n",
      title, compute_type(type.dtype), upper, type.rank(), name, type.rank() ? dims : "1", offset);
}

std::string operand_text(const Problem& problem, size_t i) {
  const std::string name = fmt::format("in{}", i), title = fmt::format("In{}", i);
  const ir::ValueId value = problem.node(0).inputs[i];
  const ir::TensorType& type = operand_type(problem, i);
  const int input = problem.input_index(value);
  if (input < 0) {
    const Tensor& literal = problem.literal(value);
    if (literal.size() != 1) return "";  // lists are sizes
    return fmt::format(
        "using {0} = {1};\nBURNISH_DEVICE {0} {2}(const Operands&, const Sizes&, const int*) {{ return {3}; "
        "}}\n"
        "BURNISH_DEVICE int {2}_dim(const Sizes&, int) {{ return 1; }}\nconstexpr int IN{4}_RANK = {5};\n",
        title, compute_type(type.dtype), name, literal_text(literal), i, type.rank());
  }
  return tensor_text(name, title, type) +
         fmt::format(
             "BURNISH_DEVICE {0} {1}(const Operands& p, const Sizes& s, const int* at) {{ return "
             "widen<{2}>(({3})[{1}_offset(s, at)]); }}\n",
             title, name, memory_type(type.dtype), operand_pointer(problem, input));
}

std::string result_text(const Problem& problem, int i) {
  const ir::TensorType& type = problem.output(i);
  return tensor_text(fmt::format("out{}", i), fmt::format("Out{}", i), type) +
         fmt::format(
             "BURNISH_DEVICE void out{0}(const Operands& p, const Sizes& s, const int* at, Out{0} value) {{ "
             "p.y{0}[out{0}_offset(s, at)] = narrow<{1}>(value); }}\n",
             i, memory_type(type.dtype));
}

class PerElement : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.per_element"; }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    const ElementOp* op = find_op(problem);
    if (!op) return Support::no("it runs single ops of its table");
    // No thread by itself beats those that share: where they can, this one is not timed.
    for (const Tactic* tactic : all_tactics())
      if (tactic == this)
        break;
      else if (tactic->supports(problem, device))
        return Support::no("{} takes it", tactic->name());
    if (Support support = supports_layouts(problem); !support) return support;
    if (!op->images)
      for (int i = 0; i < problem.input_count() + problem.output_count(); ++i) {
        const ir::TensorType& type =
            i < problem.input_count() ? problem.input(i) : problem.output(i - problem.input_count());
        if (type.layout != ir::Layout::plain) return Support::no("it takes plain tensors");
      }
    return op->supports ? op->supports(problem) : Support::yes();
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo& device) const override {
    const ElementOp* op = find_op(problem);
    return op && op->images ? uniform_layouts(problem) : Tactic::layouts(problem, device);
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    const ElementOp& op = op_of(problem);
    std::string text;
    for (size_t i = 0; i < problem.node(0).inputs.size(); ++i) {
      text += fmt::format("constexpr bool HAS_IN{} = {};\n", i, has_operand(problem, i));
      if (has_operand(problem, i)) text += operand_text(problem, i);
    }
    for (int i = 0; i < problem.output_count(); ++i) text += result_text(problem, i);
    if (op.constants) text += op.constants(problem);
    const std::vector<Dim> domain = domain_of(problem);
    std::string steps;
    const std::vector<int> order = order_of(problem, domain);
    for (size_t i = order.size(); i-- > 0;)
      steps += i > 0 ? fmt::format("  o[{0}] = i % s.domain{0};\n  i /= s.domain{0};\n", order[i])
                     : fmt::format("  o[{}] = i;\n", order[i]);
    return text + kernel_text(op.kernel) +
           constants_text({{"DOMAIN_RANK", static_cast<int64_t>(domain.size())}}) +
           "BURNISH_DEVICE void place(const Sizes& s, int i, int* o) {\n" + steps + "}\n" +
           kernel_text("per_element");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const ElementOp& op = op_of(problem);
    Sizes sizes;
    const std::vector<Dim> domain = domain_of(problem);
    sizes.add("total", ir::product(domain));
    for (size_t d = 0; d < domain.size(); ++d) sizes.add(fmt::format("domain{}", d), domain[d]);
    for (size_t i = 0; i < problem.node(0).inputs.size(); ++i)
      if (has_operand(problem, i) && problem.input_index(problem.node(0).inputs[i]) >= 0)
        add_tensor(sizes, fmt::format("in{}", i), operand_type(problem, i));
    for (int i = 0; i < problem.output_count(); ++i)
      add_tensor(sizes, fmt::format("out{}", i), problem.output(i));
    if (op.sizes) op.sizes(problem, sizes);
    return sizes;
  }

  ir::Bindings late_sizes(const Problem& problem) const override {
    const ElementOp& op = op_of(problem);
    return op.late ? op.late(problem) : ir::Bindings();
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string&,
                               const Arch&) const override {
    const int64_t total = ir::product(domain_of(problem)).constant();
    if (total == 0) return {};
    Launch launch;
    launch.grid[0] = static_cast<unsigned>((total + 127) / 128);
    return {launch};
  }

 private:
  /// The domain's axes as they lie in memory, outermost first.
  static std::vector<int> order_of(const Problem& problem, const std::vector<Dim>& domain) {
    const ir::TensorType& y = problem.output(0);
    const bool same = domain.size() == y.shape.size();
    return physical_order(static_cast<int64_t>(domain.size()), same ? y.layout : ir::Layout::plain);
  }
};

}  // namespace

bool has_operand(const Problem& problem, size_t i) {
  return i < problem.node(0).inputs.size() && problem.node(0).inputs[i];
}

const ir::TensorType& operand_type(const Problem& problem, size_t i) {
  return problem.body().value(problem.node(0).inputs[i]).type;
}

Tensor known_operand(const Problem& problem, size_t i) {
  return has_operand(problem, i) ? problem.literal(problem.node(0).inputs[i]) : Tensor();
}

std::optional<std::vector<int64_t>> known_numbers(const Problem& problem, size_t i) {
  if (!has_operand(problem, i)) return std::nullopt;
  const auto known = ops::known_contents(problem.body(), problem.node(0).inputs[i]);
  return known ? ir::constants(*known) : std::nullopt;
}

Dim late_symbol(const std::string& name, size_t d) { return Dim::symbol(fmt::format("?{}{}", name, d)); }

void add_list(Sizes& sizes, const std::string& name, const std::optional<std::vector<int64_t>>& values,
              size_t count) {
  for (size_t d = 0; d < count; ++d)
    sizes.add(fmt::format("{}{}", name, d), values ? Dim(values->at(d)) : late_symbol(name, d));
}

ir::Bindings late_list(const std::string& name, const std::vector<int64_t>& values) {
  ir::Bindings bindings;
  for (size_t d = 0; d < values.size(); ++d) bindings[fmt::format("?{}{}", name, d)] = values[d];
  return bindings;
}

std::string list_text(const std::string& name, size_t count) {
  std::string members;
  for (size_t d = 0; d < count; ++d) members += fmt::format("{}s.{}{}", d ? ", " : "", name, d);
  return fmt::format(
      "BURNISH_DEVICE int {}_of(const Sizes& s, int d) {{ const int list[] = {{{}}}; return list[d]; }}\n",
      name, count ? members : "0");
}

int64_t clamp_to_int(int64_t value) {
  constexpr int64_t most = 1 << 30;
  return std::clamp(value, -most, most);
}

const device::Tactic& per_element_tactic() {
  static const PerElement tactic;
  return tactic;
}

}  // namespace burnish::cuda
