#include "precision/ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/distance.h"
#include "base/error.h"
#include "ops/evaluate.h"
#include "ops/seeded_inputs.h"

namespace burnish::precision {
namespace {

template <class Narrow>
Observed observe_as(const Tensor& tensor) {
  Observed observed;
  double error = 0, total = 0;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const float x = tensor.data<float>()[i];
    if (!std::isfinite(x)) continue;
    observed.largest = std::max(observed.largest, std::abs(x));
    const double difference = static_cast<double>(static_cast<float>(static_cast<Narrow>(x))) - x;
    error += difference * difference;
    total += static_cast<double>(x) * x;
  }
  observed.rounding_error = total > 0 ? std::sqrt(error / total) : 0;
  return observed;
}

}  // namespace

Observed observe(const Tensor& tensor, DType narrow) {
  return narrow == DType::f16 ? observe_as<Half>(tensor) : observe_as<BFloat16>(tensor);
}

Observations observe_values(const ir::Graph& graph, DType narrow, uint64_t seed, std::vector<Tensor>& outputs) {
  Observations observations;
  const auto look = [&](ir::ValueId id, const Tensor& tensor) {
    if (tensor.dtype() == DType::f32) observations[id.index] = observe(tensor, narrow);
  };
  for (ir::ValueId id : graph.constants())
    if (graph.value(id).constant.raw()) look(id, graph.value(id).constant);
  outputs = ops::evaluate(graph, ops::seeded_inputs(graph, seed), look);
  return observations;
}

std::vector<Tensor> run_seeded(const ir::Graph& graph, uint64_t seed) {
  return ops::evaluate(graph, ops::seeded_inputs(graph, seed));
}

double largest_float_error(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (got[i].shape() != expected[i].shape()) return std::numeric_limits<double>::infinity();
    if (expected[i].dtype() == DType::f32) largest = std::max(largest, relative_error(got[i], expected[i]));
  }
  return largest;
}

double contraction_macs(const ir::Graph& graph) {
  ir::Bindings bindings;
  for (const auto& [name, range] : graph.symbols) bindings[name] = range.opt;
  const auto number = [&](const ir::Dim& dim) {
    std::set<std::string> symbols;
    dim.collect_symbols(symbols);
    for (const std::string& symbol : symbols) bindings.try_emplace(symbol, 1);  // what depends on data
    return static_cast<double>(std::max<int64_t>(dim.evaluate(bindings), 1));
  };
  double macs = 0;
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (ops::definition(node).fusion != ops::Fusion::contraction || node.inputs.size() < 2 || !node.outputs[0]) continue;
    const ir::TensorType& right = graph.value(node.inputs[1]).type;
    if (right.rank() < 2) continue;
    double output = 1, inner = 1;
    for (const ir::Dim& dim : graph.value(node.outputs[0]).type.shape) output *= number(dim);
    // A convolution's right side is [filters, channels of a group, kernel...], a product's [..., inner, columns].
    if (node.op->name == "conv" || node.op->name == "conv_transpose")
      for (size_t d = 1; d < right.shape.size(); ++d) inner *= number(right.shape[d]);
    else
      inner = number(right.shape[right.shape.size() - 2]);
    macs += output * inner;
  }
  return macs;
}

}  // namespace burnish::precision
