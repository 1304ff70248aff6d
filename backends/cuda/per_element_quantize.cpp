// quantize_linear and dequantize_linear: scales per tensor, per axis and in blocks.
#include "cuda/body_text.h"
#include "cuda/per_element.h"
#include "ops/infer.h"
#include "ops/quantize.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;

/// The ends of a quantised type, as text.
std::pair<std::string, std::string> ends_of(DType dtype) {
  switch (dtype) {
    case DType::i4:
      return {"-8", "7"};
    case DType::u4:
      return {"0", "15"};
    case DType::i8:
      return {"-128", "127"};
    case DType::u8:
      return {"0", "255"};
    case DType::i16:
      return {"-32768", "32767"};
    case DType::u16:
      return {"0", "65535"};
    case DType::u32:
      return {"0", "4294967295u"};
    default:
      return {"(-2147483647 - 1)", "2147483647"};
  }
}

/// zero_of(p, s, at) in the operand's type of arithmetic, and what kernels/quantize.cuh calls GRANULARITY.
std::string scale_text(const Problem& problem, int64_t axis, int64_t block) {
  const ir::TensorType &x = operand_type(problem, 0), &scale = operand_type(problem, 1);
  const bool one = scale.rank() <= 1 && ir::product(scale.shape).is(1);
  const int64_t along = x.rank() <= 1 ? 0 : one ? 0 : ops::normalize_axis(axis, x.rank());
  return (has_operand(problem, 2)
              ? "BURNISH_DEVICE In2 zero_of(const Operands& p, const Sizes& s, const int* at) { return "
                "in2(p, s, at); }\n"
              : "BURNISH_DEVICE int zero_of(const Operands&, const Sizes&, const int*) { return 0; }\n") +
         constants_text({{"GRANULARITY", one                 ? 0
                                         : scale.rank() == 1 ? 1
                                                             : 2},
                         {"AXIS", along},
                         {"BLOCK", block}});
}

Support quantize_supports(const Problem& problem) {
  for (size_t i : {0, 1})
    if (problem.input_index(problem.node(0).inputs[i]) < 0 &&
        problem.literal(problem.node(0).inputs[i]).size() != 1)
      return Support::no("a list of scales in the text");
  return Support::yes();
}

std::string quantize_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::QuantizeAttributes>(problem);
  const bool float8 = attributes.to == DType::f8e4m3 || attributes.to == DType::f8e5m2;
  const auto [lowest, highest] = ends_of(attributes.to);
  const std::string precision = memory_type(attributes.precision);
  return fmt::format("#define QUANTIZE 1\n#define TO_FLOAT8 {}\n#define LOWEST {}\n#define HIGHEST {}\n",
                     int{float8}, lowest, highest) +
         fmt::format(
             "using Precision = {0};\nBURNISH_DEVICE {0} rounded({0} x) {{ return "
             "widen<{1}>(narrow<{1}>(x)); }}\n",
             compute_type(attributes.precision), precision) +
         (float8 ? fmt::format("BURNISH_DEVICE {0} to_float8(float x) {{ return to_{0}(x, {1}); }}\n",
                               memory_type(attributes.to), attributes.saturate)
                 : "") +
         scale_text(problem, attributes.axis, attributes.block_size);
}

std::string dequantize_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::DequantizeAttributes>(problem);
  return "#define QUANTIZE 0\n" + scale_text(problem, attributes.axis, attributes.block_size);
}

}  // namespace

std::span<const ElementOp> quantize_element_ops() {
  static const ElementOp ops[] = {
      {.op = &ops::def::quantize_linear,
       .kernel = "quantize",
       .supports = quantize_supports,
       .constants = quantize_constants,
       .images = true},
      {.op = &ops::def::dequantize_linear,
       .kernel = "quantize",
       .supports = quantize_supports,
       .constants = dequantize_constants,
       .images = true},
  };
  return ops;
}

}  // namespace burnish::cuda
