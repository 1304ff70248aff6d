// Ops that read or write at places which other elements name: gathers, scatters, one-hot, top-k, running
// sums.
#include "cuda/body_text.h"
#include "cuda/per_element.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using Numbers = std::vector<int64_t>;

int64_t axis_in(int64_t axis, const ir::TensorType& type) { return ops::normalize_axis(axis, type.rank()); }

/// An index counted from the end where negative, kept within memory.
const char* const index_within =
    "BURNISH_DEVICE int index_within(int64_t i, int size) { if (i < 0) i += size; return i < 0 ? 0 : i >= "
    "size ? size - 1 : int(i); }\n";

Support has_rank(const Problem& problem) {
  return operand_type(problem, 0).rank() > 0 ? Support::yes() : Support::no("a scalar has no axis");
}

std::string gather_elements_constants(const Problem& problem) {
  return index_within + constants_text({{"AXIS", axis_in(attributes_of<ops::AxisAttributes>(problem).axis,
                                                         operand_type(problem, 0))}});
}

int64_t depth_of(const Problem& problem) { return operand_type(problem, 1).shape.back().constant(); }

std::string gather_nd_constants(const Problem& problem) {
  return index_within +
         constants_text({{"BATCH_DIMS", attributes_of<ops::GatherNdAttributes>(problem).batch_dims},
                         {"DEPTH", depth_of(problem)}});
}

Support one_hot_supports(const Problem& problem) {
  return problem.input_index(problem.node(0).inputs[2]) >= 0 ? Support::yes()
                                                             : Support::no("the values are literals");
}
std::string one_hot_constants(const Problem& problem) {
  return constants_text(
      {{"AXIS", axis_in(attributes_of<ops::OneHotAttributes>(problem).axis, problem.output(0))}});
}

Support scatter_supports(const Problem& problem) {
  if (Support support = has_rank(problem); !support) return support;
  const bool replaces = attributes_of<ops::ScatterAttributes>(problem).reduction == "none";
  return replaces || problem.output(0).dtype != DType::boolean ? Support::yes()
                                                               : Support::no("bools are only replaced");
}

/// join(value, update), by the attribute `reduction`.
std::string join_text(const Problem& problem) {
  const std::string& reduction = attributes_of<ops::ScatterAttributes>(problem).reduction;
  const std::string joined = reduction == "add"   ? "wrap_add(a, b)"
                             : reduction == "mul" ? "wrap_mul(a, b)"
                             : reduction == "max" ? "max_nan(a, b)"
                             : reduction == "min" ? "min_nan(a, b)"
                                                  : "b";
  // Each step is rounded as memory would round it.
  return fmt::format("BURNISH_DEVICE Out0 join(Out0 a, Out0 b) {{ return widen<{0}>(narrow<{0}>({1})); }}\n",
                     memory_type(problem.output(0).dtype), joined);
}

std::string scatter_elements_constants(const Problem& problem) {
  return join_text(problem) +
         constants_text({{"AXIS", axis_in(attributes_of<ops::ScatterAttributes>(problem).axis,
                                          operand_type(problem, 0))}});
}
std::string scatter_nd_constants(const Problem& problem) {
  return join_text(problem) + constants_text({{"DEPTH", depth_of(problem)}});
}

std::string tensor_scatter_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::TensorScatterAttributes>(problem);
  return fmt::format("#define WRITE_INDICES {}\n", int{has_operand(problem, 2)}) +
         constants_text({{"AXIS", axis_in(attributes.axis, operand_type(problem, 0))},
                         {"CIRCULAR", attributes.mode == "circular"}});
}

Support top_k_supports(const Problem& problem) {
  if (Support support = has_rank(problem); !support) return support;
  return operand_type(problem, 0).dtype != DType::boolean ? Support::yes()
                                                          : Support::no("bools are not ordered");
}
std::string top_k_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::TopKAttributes>(problem);
  return fmt::format("#define GIVES_INDICES {}\n", int{problem.output_count() > 1}) +
         constants_text(
             {{"AXIS", axis_in(attributes.axis, operand_type(problem, 0))}, {"LARGEST", attributes.largest}});
}
std::vector<ir::Dim> operand_domain(const Problem& problem) { return operand_type(problem, 0).shape; }

std::string cumulative_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::CumulativeAttributes>(problem);
  return constants_text({{"EXCLUSIVE", attributes.exclusive},
                         {"REVERSE", attributes.reverse},
                         {"PRODUCT", problem.node(0).op == &ops::def::cumprod}});
}
std::optional<Numbers> cumulative_axis(const Problem& problem) {
  const auto axis = known_numbers(problem, 1);
  return axis ? std::optional(Numbers{axis_in(axis->at(0), operand_type(problem, 0))}) : std::nullopt;
}
void cumulative_sizes(const Problem& problem, Sizes& sizes) {
  add_list(sizes, "axis", cumulative_axis(problem), 1);
}
ir::Bindings cumulative_late(const Problem& problem) {
  return late_list("axis", cumulative_axis(problem).value_or(Numbers()));
}

}  // namespace

std::span<const ElementOp> index_element_ops() {
  static const ElementOp ops[] = {
      {.op = &ops::def::gather_elements,
       .kernel = "gather_elements",
       .supports = has_rank,
       .constants = gather_elements_constants},
      {.op = &ops::def::gather_nd,
       .kernel = "gather_nd",
       .supports = has_rank,
       .constants = gather_nd_constants},
      {.op = &ops::def::one_hot,
       .kernel = "one_hot",
       .supports = one_hot_supports,
       .constants = one_hot_constants},
      {.op = &ops::def::scatter_elements,
       .kernel = "scatter_elements",
       .supports = scatter_supports,
       .constants = scatter_elements_constants},
      {.op = &ops::def::scatter_nd,
       .kernel = "scatter_nd",
       .supports = scatter_supports,
       .constants = scatter_nd_constants},
      {.op = &ops::def::tensor_scatter,
       .kernel = "tensor_scatter",
       .supports = has_rank,
       .constants = tensor_scatter_constants},
      {.op = &ops::def::topk,
       .kernel = "top_k",
       .supports = top_k_supports,
       .constants = top_k_constants,
       .domain = operand_domain},
      {.op = &ops::def::cumsum,
       .kernel = "cumulative",
       .supports = has_rank,
       .constants = cumulative_constants,
       .sizes = cumulative_sizes,
       .late = cumulative_late},
      {.op = &ops::def::cumprod,
       .kernel = "cumulative",
       .supports = has_rank,
       .constants = cumulative_constants,
       .sizes = cumulative_sizes,
       .late = cumulative_late},
  };
  return ops;
}

}  // namespace burnish::cuda
