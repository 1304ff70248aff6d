#include "build/precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace burnish::build_internal {
namespace {

bool holds_quantised_values(const ir::Graph& graph) {
  static const std::set<std::string_view> quantised = {"quantize_linear", "dequantize_linear", "dynamic_quantize_linear", "matmul_integer", "conv_integer"};
  for (ir::NodeId id : graph.order())
    if (quantised.contains(graph.node(id).op->name)) return true;
  return false;
}

}  // namespace

Arithmetic allowed_arithmetic(const std::vector<Precision>& allowed, const ir::Graph& graph) {
  const auto may = [&](Precision precision) { return std::find(allowed.begin(), allowed.end(), precision) != allowed.end(); };
  for (Precision precision : {int8, fp8})
    if (may(precision) && !holds_quantised_values(graph))
      throw UsageError(fmt::format("precision {0}: the model has no quantised values, and {0} for other models needs calibration, which does not exist yet; "
                                   "use fp16 or bf16, or a model with QuantizeLinear and DequantizeLinear",
                                   precision_name(precision)));
  Arithmetic arithmetic;
  arithmetic.tf32 = allowed.empty() || may(tf32);
  if (may(fp16)) arithmetic.narrow = DType::f16;
  else if (may(bf16)) arithmetic.narrow = DType::bf16;
  return arithmetic;
}

}  // namespace burnish::build_internal
