// Convolutions, products and pooling by their definitions: any rank, type and operand. What tensor cores take
// goes there.
#include "cuda/body_text.h"
#include "cuda/per_element.h"
#include "ops/contraction.h"
#include "ops/infer.h"
#include "ops/pool.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

size_t spatial_rank(const Problem& problem) { return operand_type(problem, 0).shape.size() - 2; }

/// The spatial sizes of operand `i`, a placeholder where they are symbols.
std::vector<int64_t> spatial_sizes(const ir::TensorType& type) {
  std::vector<int64_t> sizes;
  for (size_t d = 2; d < type.shape.size(); ++d)
    sizes.push_back(type.shape[d].is_constant() ? type.shape[d].constant() : 1 << 20);
  return sizes;
}

/// Kernel, strides, dilations, pads before and behind, one after the other.
std::vector<int64_t> window_list(const ops::Window& window) {
  std::vector<int64_t> list;
  for (const Shape* part :
       {&window.kernel, &window.strides, &window.dilations, &window.pads_begin, &window.pads_end})
    list.insert(list.end(), part->begin(), part->end());
  return list;
}

std::string window_text(const Problem& problem) {
  return constants_text({{"SPATIAL", static_cast<int64_t>(spatial_rank(problem))}}) +
         list_text("window", 5 * spatial_rank(problem)) + kernel_text("windows");
}

/// Yes if the window is known at build.
template <class A>
Support fixed_window(const Problem& problem, const ir::TensorType& kernel) {
  const ir::TensorType& x = operand_type(problem, 0);
  if (x.rank() < 3) return Support::no("no spatial dimensions");
  if (!ir::constants(kernel.shape)) return Support::no("a kernel whose size is not known");
  const bool known = ir::constants(std::vector<Dim>(x.shape.begin() + 2, x.shape.end())).has_value();
  if (!known && attributes_of<A>(problem).auto_pad.starts_with("SAME"))
    return Support::no("pads that depend on the input's size");
  return Support::yes();
}

// --- convolutions ---

Support is_number(const Problem& problem) {
  for (size_t i = 0; i < problem.node(0).inputs.size(); ++i)
    if (has_operand(problem, i) && operand_type(problem, i).dtype == DType::boolean)
      return Support::no("it takes numbers");
  return Support::yes();
}

template <class A>
Support conv_supports(const Problem& problem) {
  if (Support support = is_number(problem); !support) return support;
  for (size_t i : {0, 1})
    if (problem.input_index(problem.node(0).inputs[i]) < 0) return Support::no("an operand is a literal");
  return fixed_window<A>(problem, operand_type(problem, 1));
}

/// initial(), zero_of_x() and zero_of_w(): a bias, or the zero points of integers, in operands 2 and 3.
std::string initial_text(const Problem& problem, bool integer) {
  const auto reader = [&](const char* name, const char* parameters, size_t operand, const char* place) {
    const bool there = has_operand(problem, operand);
    return fmt::format(
        "BURNISH_DEVICE Out0 {}(const Operands& p, const Sizes& s{}) {{ {}return {}; }}\n", name, parameters,
        there && *place == '0' ? "const int first[1] = {0}; " : "",
        there ? fmt::format("Out0(in{}(p, s, {}))", operand, *place == '0' ? "first" : place) : "Out0(0)");
  };
  const size_t none = problem.node(0).inputs.size();
  const bool vector =
      integer && has_operand(problem, 3) && !ir::product(operand_type(problem, 3).shape).is(1);
  return reader("initial", ", const int* filter", integer ? none : 2, "filter") +
         reader("zero_of_x", "", integer ? 2 : none, "0") +
         reader("zero_of_w", ", const int* filter", integer ? 3 : none, vector ? "filter" : "0");
}

std::string conv_constants(const Problem& problem) {
  const bool integer = problem.node(0).op == &ops::def::conv_integer;
  return window_text(problem) +
         constants_text({{"GROUPS", attributes_of<ops::ConvAttributes>(problem).group}}) +
         initial_text(problem, integer);
}
void conv_sizes(const Problem& problem, Sizes& sizes) {
  const ops::Window window =
      ops::resolve_window(attributes_of<ops::ConvAttributes>(problem),
                          spatial_sizes(operand_type(problem, 1)), spatial_sizes(operand_type(problem, 0)));
  add_list(sizes, "window", window_list(window), 5 * spatial_rank(problem));
}

Support conv_transpose_supports(const Problem& problem) {
  if (Support support = conv_supports<ops::ConvTransposeAttributes>(problem); !support) return support;
  const auto& attributes = attributes_of<ops::ConvTransposeAttributes>(problem);
  const bool known = ir::constants(operand_type(problem, 0).shape).has_value();
  return known || (attributes.output_shape.empty() && !attributes.auto_pad.starts_with("SAME"))
             ? Support::yes()
             : Support::no("pads that depend on the input's size");
}
std::string conv_transpose_constants(const Problem& problem) {
  return window_text(problem) +
         constants_text({{"GROUPS", attributes_of<ops::ConvTransposeAttributes>(problem).group}}) +
         initial_text(problem, false);
}
void conv_transpose_sizes(const Problem& problem, Sizes& sizes) {
  const ops::Window window = ops::resolve_transposed_window(
      attributes_of<ops::ConvTransposeAttributes>(problem), spatial_sizes(operand_type(problem, 1)),
      spatial_sizes(operand_type(problem, 0)), spatial_sizes(problem.output(0)));
  add_list(sizes, "window", window_list(window), 5 * spatial_rank(problem));
}

// --- products ---

Support matmul_supports(const Problem& problem) {
  if (Support support = is_number(problem); !support) return support;
  for (size_t i : {0, 1})
    if (problem.input_index(problem.node(0).inputs[i]) < 0) return Support::no("an operand is a literal");
  return Support::yes();
}
std::string matmul_constants(const Problem& problem) {
  const bool integer = problem.node(0).op == &ops::def::matmul_integer;
  const ops::MatMulAttributes attributes =
      integer ? ops::MatMulAttributes() : attributes_of<ops::MatMulAttributes>(problem);
  std::string text =
      constants_text({{"TRANSPOSE_A", attributes.transpose_a}, {"TRANSPOSE_B", attributes.transpose_b}});
  for (size_t i : {2, 3}) {
    const bool there = integer && has_operand(problem, i);
    const bool vector =
        there && operand_type(problem, i).rank() == 1 && !ir::product(operand_type(problem, i).shape).is(1);
    std::string value = "Out0(0)";
    if (there)
      value = vector ? fmt::format("Out0(in{}(p, s, at))", i) : fmt::format("Out0(in{}(p, s, first))", i);
    text += fmt::format(
        "BURNISH_DEVICE Out0 zero_of_{}(const Operands& p, const Sizes& s, const int* at) {{ const int "
        "first[8] = {{0}}; return {}; }}\n",
        i == 2 ? "x" : "w", value);
  }
  return text;
}

// --- pooling ---

const ops::PoolAttributes& pool_attributes(const Problem& problem) {
  if (problem.node(0).op == &ops::def::max_pool) return attributes_of<ops::MaxPoolAttributes>(problem);
  if (problem.node(0).op == &ops::def::average_pool)
    return attributes_of<ops::AveragePoolAttributes>(problem);
  return attributes_of<ops::LpPoolAttributes>(problem);
}

Support pool_supports(const Problem& problem) {
  const ir::TensorType& x = operand_type(problem, 0);
  if (x.dtype == DType::boolean) return Support::no("it takes numbers");
  if (x.rank() < 3) return Support::no("no spatial dimensions");
  const bool known = ir::constants(std::vector<Dim>(x.shape.begin() + 2, x.shape.end())).has_value();
  return known || !pool_attributes(problem).auto_pad.starts_with("SAME")
             ? Support::yes()
             : Support::no("pads that depend on the input's size");
}

/// The smallest value of a type, as text.
std::string lowest_text(DType dtype) {
  switch (dtype) {
    case DType::i8:
      return "-128";
    case DType::i16:
      return "-32768";
    case DType::i32:
      return "(-2147483647 - 1)";
    case DType::i64:
      return "(-9223372036854775807ll - 1)";
    case DType::u8:
    case DType::u16:
    case DType::u32:
    case DType::u64:
      return "0";
    default:
      return "__longlong_as_double(0xfff0000000000000ull)";
  }
}

std::string pool_constants(const Problem& problem) {
  const ir::Node& node = problem.node(0);
  const bool maximum = node.op == &ops::def::max_pool, mean = node.op == &ops::def::average_pool;
  return fmt::format("#define LOWEST {}\n#define GIVES_INDICES {}\n",
                     lowest_text(operand_type(problem, 0).dtype),
                     int{maximum && problem.output_count() > 1}) +
         window_text(problem) +
         constants_text(
             {{"KIND", maximum ? 0
                       : mean  ? 1
                               : 2},
              {"P", maximum || mean ? 1 : attributes_of<ops::LpPoolAttributes>(problem).p},
              {"COUNT_PADDING", mean && attributes_of<ops::AveragePoolAttributes>(problem).count_include_pad},
              {"COLUMN_MAJOR",
               maximum && attributes_of<ops::MaxPoolAttributes>(problem).storage_order == 1}});
}
void pool_sizes(const Problem& problem, Sizes& sizes) {
  const ops::PoolAttributes& attributes = pool_attributes(problem);
  const ops::Window window =
      ops::resolve_window(attributes, attributes.kernel_shape, spatial_sizes(operand_type(problem, 0)));
  add_list(sizes, "window", window_list(window), 5 * spatial_rank(problem));
}

std::string max_unpool_constants(const Problem& problem) {
  return list_text("pooled", spatial_rank(problem));
}
void max_unpool_sizes(const Problem& problem, Sizes& sizes) {
  const auto& attributes = attributes_of<ops::MaxUnpoolAttributes>(problem);
  const size_t rank = spatial_rank(problem);
  for (size_t d = 0; d < rank; ++d) {
    const int64_t stride = attributes.strides.empty() ? 1 : attributes.strides[d];
    const int64_t pads = attributes.pads.empty() ? 0 : attributes.pads[d] + attributes.pads[d + rank];
    sizes.add(fmt::format("pooled{}", d),
              (operand_type(problem, 0).shape[d + 2] - 1) * stride + (attributes.kernel_shape[d] - pads));
  }
}

}  // namespace

std::span<const ElementOp> window_element_ops() {
  static const ElementOp ops[] = {
      {.op = &ops::def::conv,
       .kernel = "direct_conv",
       .supports = conv_supports<ops::ConvAttributes>,
       .constants = conv_constants,
       .sizes = conv_sizes,
       .images = true},
      {.op = &ops::def::conv_integer,
       .kernel = "direct_conv",
       .supports = conv_supports<ops::ConvAttributes>,
       .constants = conv_constants,
       .sizes = conv_sizes},
      {.op = &ops::def::conv_transpose,
       .kernel = "direct_conv_transpose",
       .supports = conv_transpose_supports,
       .constants = conv_transpose_constants,
       .sizes = conv_transpose_sizes,
       .images = true},
      {.op = &ops::def::matmul,
       .kernel = "direct_matmul",
       .supports = matmul_supports,
       .constants = matmul_constants},
      {.op = &ops::def::matmul_integer,
       .kernel = "direct_matmul",
       .supports = matmul_supports,
       .constants = matmul_constants},
      {.op = &ops::def::max_pool,
       .kernel = "any_pool",
       .supports = pool_supports,
       .constants = pool_constants,
       .sizes = pool_sizes,
       .images = true},
      {.op = &ops::def::average_pool,
       .kernel = "any_pool",
       .supports = pool_supports,
       .constants = pool_constants,
       .sizes = pool_sizes,
       .images = true},
      {.op = &ops::def::lp_pool,
       .kernel = "any_pool",
       .supports = pool_supports,
       .constants = pool_constants,
       .sizes = pool_sizes,
       .images = true},
      {.op = &ops::def::max_unpool,
       .kernel = "max_unpool",
       .constants = max_unpool_constants,
       .sizes = max_unpool_sizes},
  };
  return ops;
}

}  // namespace burnish::cuda
