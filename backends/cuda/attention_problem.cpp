#include <algorithm>
#include <cmath>

#include "cuda/attention.h"
#include "cuda/body_text.h"
#include "ops/attention.h"
#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

bool multiple(const Dim& value, int64_t of) {
  return value.is_constant() ? value.constant() % of == 0 : ir::mod(value, of).is(0);
}

Support find_operand(const Problem& problem, ir::ValueId value, AttentionOperand& operand) {
  const ops::StridedSource source = ops::strided_source(problem.body(), value);
  operand.tensor = problem.input_index(source.source);
  if (operand.tensor < 0) return Support::no("an operand is made inside the region");
  operand.offset = source.offset;
  std::copy(source.strides.begin(), source.strides.end(),
            operand.strides.begin() + (4 - static_cast<std::ptrdiff_t>(source.strides.size())));
  return Support::yes();
}

}  // namespace

Support Attention::analyse(const Problem& problem, Attention& into) {
  const ir::Node* node = nullptr;
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    if (problem.node(i).op != &ops::def::attention) continue;
    if (node) return Support::no("several attentions");
    node = &problem.node(i);
  }
  if (!node) return Support::no("no attention");
  const auto type = [&](ir::ValueId value) -> const ir::TensorType& {
    return problem.body().value(value).type;
  };
  for (int i = 0; i < problem.input_count(); ++i)
    if (problem.input(i).layout != ir::Layout::plain) return Support::no("it takes plain tensors");
  if (problem.output_count() != 1 || problem.output(0).layout != ir::Layout::plain)
    return Support::no("it gives one plain tensor");
  const ir::TensorType &q = type(node->inputs[0]), &k = type(node->inputs[1]), &v = type(node->inputs[2]);
  into.dtype = q.dtype;
  if (q.dtype != DType::f16 && q.dtype != DType::bf16 && q.dtype != DType::f32)
    return Support::no("the tensor cores do not take {}", dtype_name(q.dtype));
  constexpr int64_t most = 256;
  if (!q.shape[3].is_constant() || !v.shape[3].is_constant() || q.shape[3].constant() > most ||
      v.shape[3].constant() > most)
    return Support::no("heads of more than {} elements, or of a size that is not known at build", most);
  if (!q.shape[1].is_constant() || !k.shape[1].is_constant() || k.shape[1].constant() < 1)
    return Support::no("the number of heads is not known at build");
  for (auto [operand, at] : {std::pair{&into.q, 0}, std::pair{&into.k, 1}, std::pair{&into.v, 2}})
    if (Support support = find_operand(problem, node->inputs[static_cast<size_t>(at)], *operand); !support)
      return support;
  if (node->inputs.size() > 3 && node->inputs[3]) {
    const DType mask = type(node->inputs[3]).dtype;
    into.mask_kind = is_floating(mask) ? Mask::added : Mask::boolean;
    if (Support support = find_operand(problem, node->inputs[3], into.mask); !support) return support;
    // Dimensions of one are repeated; their strides are 0 already where a transpose has not moved them.
    const std::vector<Dim>& shape = type(node->inputs[3]).shape;
    for (size_t d = 0; d < shape.size(); ++d)
      if (shape[d].is(1)) into.mask.strides[d + 4 - shape.size()] = 0;
    const std::array<Dim, 4> scores = {q.shape[0], q.shape[1], q.shape[2], k.shape[2]};
    for (size_t d = 0; d < shape.size(); ++d)
      if (!shape[d].is(1) && !(shape[d] == scores[d + 4 - shape.size()]))
        return Support::no("it cannot be told which dimensions of the mask are repeated");
  }
  const ops::StridedSource result =
      ops::strided_result(problem.body(), node->outputs[0], problem.body().outputs[0].value);
  if (result.strides.empty()) return Support::no("what follows it is no change of places");
  std::copy(result.strides.begin(), result.strides.end(), into.y.strides.begin());
  into.y.offset = result.offset;
  into.y.tensor = 0;
  const auto& attributes = node->attributes.as<ops::AttentionAttributes>();
  into.causal = attributes.causal == "top_left"       ? Causal::top_left
                : attributes.causal == "bottom_right" ? Causal::bottom_right
                                                      : Causal::none;
  into.depth = q.shape[3].constant();
  into.depth_v = v.shape[3].constant();
  into.scale = attributes.scale != 0 ? attributes.scale : 1 / std::sqrt(static_cast<double>(into.depth));
  into.softcap = attributes.softcap;
  into.batch = q.shape[0];
  into.heads = q.shape[1];
  into.sharing = q.shape[1].constant() / k.shape[1].constant();
  into.queries = q.shape[2];
  into.keys = k.shape[2];
  if (into.depth < 1 || into.depth_v < 1) return Support::no("heads of no elements");
  return Support::yes();
}

Attention Attention::of(const Problem& problem) {
  Attention attention;
  const Support support = analyse(problem, attention);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return attention;
}

bool AttentionOperand::in_pieces(const Dim& row, int64_t elements) const {
  bool fits = strides[3].is(1) && multiple(row, elements) && multiple(offset, elements);
  for (size_t d = 0; d < 3; ++d) fits = fits && multiple(strides[d], elements);
  return fits;
}

std::string Attention::text(const Problem& problem) const {
  const auto pointer = [&](const char* name, const std::string& place, bool writes) {
    return fmt::format(
        "BURNISH_DEVICE {0}Element* {1}_operand(const Operands& p) {{ return "
        "static_cast<{0}Element*>({2}); }}\n",
        writes ? "" : "const ", name, place);
  };
  std::string mask_text = "BURNISH_DEVICE float mask(const Operands&, int) { return 0; }\n";
  if (mask_kind != Mask::none) {
    const std::string element = operand_pointer(problem, mask.tensor) + "[place]";
    mask_text =
        "BURNISH_DEVICE float mask(const Operands& p, int place) { return " +
        (mask_kind == Mask::boolean
             ? "(" + element + ") ? 0.0f : __int_as_float(0xff800000)"
             : fmt::format("widen<{}>(({}))", memory_type(problem.input(mask.tensor).dtype), element)) +
        "; }\n";
  }
  return fmt::format("using Element = {};\nconstexpr float SCALE = {:a}f, SOFTCAP = {:a}f;\n",
                     memory_type(dtype), static_cast<float>(scale), static_cast<float>(softcap)) +
         constants_text({{"MASK", static_cast<int>(mask_kind)}, {"CAUSAL", static_cast<int>(causal)}}) +
         pointer("q", operand_pointer(problem, q.tensor), false) +
         pointer("k", operand_pointer(problem, k.tensor), false) +
         pointer("v", operand_pointer(problem, v.tensor), false) + pointer("y", "p.y0", true) + mask_text;
}

void Attention::add_sizes(Sizes& sizes) const {
  sizes.add("heads", heads);
  sizes.add("sharing", sharing);
  sizes.add("queries", queries);
  sizes.add("keys", keys);
  sizes.add("depth", depth);
  sizes.add("depth_v", depth_v);
  const auto add = [&](const std::string& name, const AttentionOperand& operand, const char* column) {
    sizes.add(name + "_offset", operand.offset);
    sizes.add(name + "_batch", operand.strides[0]);
    sizes.add(name + "_head", operand.strides[1]);
    sizes.add(name + "_row", operand.strides[2]);
    sizes.add(name + column, operand.strides[3]);
  };
  add("q", q, "_column");
  add("k", k, "_column");
  add("v", v, "_column");
  add("y", y, "_column");
  add("mask", mask, "_key");
}

}  // namespace burnish::cuda
