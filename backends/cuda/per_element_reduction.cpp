// Reductions over any axes, also those that are known only when the kernel is bound; softmax along any axis.
#include <algorithm>
#include <map>

#include "cuda/body_text.h"
#include "cuda/per_element.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

// --- reductions ---

/// The kinds in the order of kernels/fold.cuh.
int kind_of(const Problem& problem) {
  static const ir::Op* const kinds[] = {&ops::def::reduce_sum,     &ops::def::reduce_mean,
                                        &ops::def::reduce_max,     &ops::def::reduce_min,
                                        &ops::def::reduce_prod,    &ops::def::reduce_l1,
                                        &ops::def::reduce_l2,      &ops::def::reduce_sum_square,
                                        &ops::def::reduce_log_sum, &ops::def::reduce_log_sum_exp};
  return static_cast<int>(std::find(std::begin(kinds), std::end(kinds), problem.node(0).op) -
                          std::begin(kinds));
}

/// True for each dimension that is reduced; nullopt where the axes are not known.
std::optional<std::vector<bool>> reduced_axes(const Problem& problem) {
  const auto& attributes = attributes_of<ops::ReduceAttributes>(problem);
  std::vector<int64_t> axes = attributes.axes;
  if (has_operand(problem, 1)) {
    const auto given = known_numbers(problem, 1);
    if (!given) return std::nullopt;
    axes = *given;
  }
  const int64_t rank = operand_type(problem, 0).rank();
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !attributes.noop_with_empty_axes);
  for (int64_t axis : axes) reduced[static_cast<size_t>(ops::normalize_axis(axis, rank))] = true;
  return reduced;
}

std::vector<Dim> fold_domain(const Problem& problem) {
  std::vector<Dim> domain = operand_type(problem, 0).shape;
  const auto reduced = reduced_axes(problem);
  for (size_t d = 0; d < domain.size(); ++d) {
    if (!reduced)
      domain[d] = late_symbol("kept", d);
    else if ((*reduced)[d])
      domain[d] = 1;
  }
  return domain;
}

void fold_sizes(const Problem& problem, Sizes& sizes) {
  const std::vector<Dim>& shape = operand_type(problem, 0).shape;
  const auto reduced = reduced_axes(problem);
  for (size_t d = 0; d < shape.size(); ++d)
    sizes.add(fmt::format("extent{}", d), !reduced        ? late_symbol("extent", d)
                                          : (*reduced)[d] ? shape[d]
                                                          : Dim(1));
}

ir::Bindings fold_late(const Problem& problem) {
  const std::vector<Dim>& shape = operand_type(problem, 0).shape;
  const auto reduced = reduced_axes(problem);
  std::vector<int64_t> kept, extent;
  for (size_t d = 0; reduced && d < shape.size(); ++d) {
    kept.push_back((*reduced)[d] ? 1 : shape[d].constant());
    extent.push_back((*reduced)[d] ? shape[d].constant() : 1);
  }
  ir::Bindings bindings = late_list("kept", kept);
  bindings.merge(late_list("extent", extent));
  return bindings;
}

/// put(p, s, o, value): the result lies in the order of the domain, whether or not it keeps the reduced axes.
std::string put_text(const Problem& problem) {
  std::string place = "0";
  for (int64_t d = 0; d < operand_type(problem, 0).rank(); ++d)
    place = fmt::format("(({}) * s.domain{} + o[{}])", place, d, d);
  return fmt::format(
      "BURNISH_DEVICE void put(const Operands& p, const Sizes& s, const int* o, Out0 value) {{ p.y0[{}] = "
      "narrow<{}>(value); }}\n",
      place, memory_type(problem.output(0).dtype));
}

/// A type's ends, as text; infinities where it has them.
std::pair<std::string, std::string> limits_text(DType dtype) {
  switch (dtype) {
    case DType::i8:
      return {"-128", "127"};
    case DType::i16:
      return {"-32768", "32767"};
    case DType::i32:
      return {"(-2147483647 - 1)", "2147483647"};
    case DType::i64:
      return {"(-9223372036854775807ll - 1)", "9223372036854775807ll"};
    case DType::u8:
      return {"0", "255"};
    case DType::u16:
      return {"0", "65535"};
    case DType::u32:
      return {"0", "4294967295u"};
    case DType::u64:
      return {"0", "18446744073709551615ull"};
    case DType::boolean:
      return {"false", "true"};
    default:
      return {"__longlong_as_double(0xfff0000000000000ull)", "__longlong_as_double(0x7ff0000000000000ull)"};
  }
}

Support fold_supports(const Problem& problem) {
  const int kind = kind_of(problem);
  if (problem.input_index(problem.node(0).inputs[0]) < 0) return Support::no("its input is a literal");
  const bool extreme = kind == 2 || kind == 3;
  return extreme || operand_type(problem, 0).dtype != DType::boolean ? Support::yes()
                                                                     : Support::no("it takes numbers");
}
std::string fold_constants(const Problem& problem) {
  const auto [lowest, highest] = limits_text(operand_type(problem, 0).dtype);
  return fmt::format("#define LOWEST {}\n#define HIGHEST {}\n", lowest, highest) + put_text(problem) +
         list_text("extent", operand_type(problem, 0).shape.size()) +
         constants_text({{"KIND", kind_of(problem)}});
}

// --- along one axis ---

template <class A>
int64_t axis_of(const Problem& problem) {
  return ops::normalize_axis(attributes_of<A>(problem).axis, operand_type(problem, 0).rank());
}
template <class A>
std::vector<Dim> line_domain(const Problem& problem) {
  std::vector<Dim> domain = operand_type(problem, 0).shape;
  domain[static_cast<size_t>(axis_of<A>(problem))] = 1;
  return domain;
}

Support takes_lines(const Problem& problem) {
  const ir::TensorType& x = operand_type(problem, 0);
  if (x.rank() == 0 || x.dtype == DType::boolean) return Support::no("it takes numbers with an axis");
  return problem.input_index(problem.node(0).inputs[0]) >= 0 ? Support::yes()
                                                             : Support::no("its input is a literal");
}

std::string arg_constants(const Problem& problem) {
  return put_text(problem) +
         constants_text({{"AXIS", axis_of<ops::ArgReduceAttributes>(problem)},
                         {"LAST", attributes_of<ops::ArgReduceAttributes>(problem).select_last_index},
                         {"LARGEST", problem.node(0).op == &ops::def::arg_max}});
}
std::string softmax_constants(const Problem& problem) {
  const ir::Op* op = problem.node(0).op;
  return constants_text({{"AXIS", axis_of<ops::SoftmaxAttributes>(problem)},
                         {"KIND", op == &ops::def::softmax       ? 0
                                  : op == &ops::def::log_softmax ? 1
                                                                 : 2}});
}
std::string lrn_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::LrnAttributes>(problem);
  return constants_text({{"WIDTH", attributes.size}}) +
         fmt::format("constexpr float BIAS = {:a}, ALPHA = {:a}, BETA = {:a};\n", attributes.bias,
                     attributes.alpha / static_cast<double>(attributes.size), attributes.beta);
}
std::string batch_norm_constants(const Problem& problem) {
  return fmt::format("constexpr double EPSILON = {:a};\n",
                     attributes_of<ops::EpsilonAttributes>(problem).epsilon);
}

}  // namespace

std::span<const ElementOp> reduction_element_ops() {
  static const std::vector<ElementOp> ops = [] {
    std::vector<ElementOp> made;
    for (const ops::OpDef* op :
         {&ops::def::reduce_sum, &ops::def::reduce_mean, &ops::def::reduce_max, &ops::def::reduce_min,
          &ops::def::reduce_prod, &ops::def::reduce_l1, &ops::def::reduce_l2, &ops::def::reduce_sum_square,
          &ops::def::reduce_log_sum, &ops::def::reduce_log_sum_exp})
      made.push_back({.op = op,
                      .kernel = "fold",
                      .supports = fold_supports,
                      .constants = fold_constants,
                      .sizes = fold_sizes,
                      .late = fold_late,
                      .domain = fold_domain});
    for (const ops::OpDef* op : {&ops::def::arg_max, &ops::def::arg_min})
      made.push_back({.op = op,
                      .kernel = "arg_reduce",
                      .supports = takes_lines,
                      .constants = arg_constants,
                      .domain = line_domain<ops::ArgReduceAttributes>});
    for (const ops::OpDef* op : {&ops::def::softmax, &ops::def::log_softmax, &ops::def::hardmax})
      made.push_back({.op = op,
                      .kernel = "softmax_line",
                      .supports = takes_lines,
                      .constants = softmax_constants,
                      .domain = line_domain<ops::SoftmaxAttributes>});
    made.push_back({.op = &ops::def::lrn, .kernel = "lrn", .constants = lrn_constants, .images = true});
    made.push_back({.op = &ops::def::batch_norm,
                    .kernel = "batch_norm",
                    .constants = batch_norm_constants,
                    .images = true});
    return made;
  }();
  return ops;
}

}  // namespace burnish::cuda
