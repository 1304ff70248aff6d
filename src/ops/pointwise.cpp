#include "ops/pointwise.h"

#include <map>
#include <set>

#include "base/parallel.h"
#include "ops/infer.h"

namespace burnish::ops {
namespace {

/// Whether `dim` is at least 0 wherever all sizes are at least 1.
bool never_negative(const ir::Dim& dim) {
  std::set<std::string> symbols;
  dim.collect_symbols(symbols);
  std::map<std::string, ir::Dim, std::less<>> one_more;
  for (const std::string& symbol : symbols) one_more.emplace(symbol, ir::Dim::symbol(symbol) + 1);
  return dim.substitute(one_more).never_negative();
}

/// a / b rounded towards zero; nullopt where b's sign cannot be told. What divides no sizes (of empty tensors) apart.
std::optional<ir::Dim> truncated_div(const ir::Dim& a, const ir::Dim& b) {
  if (b.is(0)) return std::nullopt;
  if (never_negative(0 - b)) return 0 - *truncated_div(a, 0 - b);
  if (!never_negative(b)) return std::nullopt;
  if (never_negative(a)) return ir::floor_div(a, b);
  if (never_negative(0 - a)) return ir::ceil_div(a, b);
  const ir::Dim not_positive = 1 - ir::max(ir::min(a, 1), 0), not_whole = ir::min(ir::mod(a, b), 1);
  return ir::floor_div(a, b) + not_positive * not_whole;
}

/// What a binary op does to known contents (shape arithmetic); nullopt where it cannot be told.
std::optional<ir::Dim> combine(const std::string& op, const ir::Dim& a, const ir::Dim& b) {
  const ir::Dim difference = a - b;
  // Symbols are sizes: never negative, so a symbol never equals a negative number.
  const bool known = difference.is_constant();
  if (op == "add") return a + b;
  if (op == "sub") return a - b;
  if (op == "mul") return a * b;
  if (op == "div") return truncated_div(a, b);
  if (op == "mod" && !b.is(0)) return ir::mod(a, b);
  if (op == "minimum") return ir::min(a, b);
  if (op == "maximum") return ir::max(a, b);
  if (op == "equal") {
    if (known) return ir::Dim(difference.is(0) ? 1 : 0);
    if ((b.is_constant() && b.constant() < 0 && a.symbol_name()) || (a.is_constant() && a.constant() < 0 && b.symbol_name())) return ir::Dim(0);
  }
  if (op == "less" && known) return ir::Dim(difference.constant() < 0 ? 1 : 0);
  if (op == "greater" && known) return ir::Dim(difference.constant() > 0 ? 1 : 0);
  if (op == "less_or_equal" && known) return ir::Dim(difference.constant() <= 0 ? 1 : 0);
  if (op == "greater_or_equal" && known) return ir::Dim(difference.constant() >= 0 ? 1 : 0);
  if (op == "logical_and" && a.is_constant() && b.is_constant()) return ir::Dim(a.constant() && b.constant() ? 1 : 0);
  if (op == "logical_or" && a.is_constant() && b.is_constant()) return ir::Dim(a.constant() || b.constant() ? 1 : 0);
  return std::nullopt;
}

void infer_contents(InferContext& context) {
  const size_t inputs = static_cast<size_t>(context.inputs());
  std::vector<const std::vector<ir::Dim>*> known(inputs);
  size_t count = 1;
  for (size_t i = 0; i < inputs; ++i) {
    known[i] = context.contents(static_cast<int>(i));
    if (!known[i]) return;
    if (known[i]->size() != 1) count = known[i]->size();
  }
  std::vector<ir::Dim> contents;
  for (size_t i = 0; i < count; ++i) {
    const auto at = [&](size_t input) { return (*known[input])[known[input]->size() == 1 ? 0 : i]; };
    std::optional<ir::Dim> made;
    if (inputs == 2) made = combine(context.op().name, at(0), at(1));
    else if (inputs == 3 && context.op().name == "where" && at(0).is_constant()) made = at(0).constant() ? at(1) : at(2);
    else if (inputs == 1 && context.op().name == "neg") made = ir::Dim(0) - at(0);
    else if (inputs == 1 && context.op().name == "logical_not" && at(0).is_constant()) made = ir::Dim(at(0).constant() ? 0 : 1);
    if (!made) return;
    contents.push_back(*made);
  }
  context.set_contents(0, std::move(contents));
}

}  // namespace

void infer_pointwise(InferContext& context) {
  const Expression& expression = *context.op().expression;
  std::vector<ir::Dim> shape;
  std::optional<DType> dtype;
  for (int i = 0; i < context.inputs(); ++i) {
    const bool boolean = expression.boolean_parameters.at(static_cast<size_t>(i));
    require(!boolean || context.dtype(i) == DType::boolean, "input {} must be bool, not {}", i, dtype_name(context.dtype(i)));
    shape = i == 0 ? context.shape(0) : broadcast_shapes(shape, context.shape(i));
    if (boolean) continue;
    require(!dtype || *dtype == context.dtype(i), "inputs must have one element type, not {} and {}", dtype_name(dtype.value_or(DType::f32)), dtype_name(context.dtype(i)));
    dtype = context.dtype(i);
  }
  const DType storage = dtype.value_or(DType::boolean);
  require(expression.loops[static_cast<size_t>(storage)] != nullptr, "element type {} is not supported", dtype_name(storage));
  context.set(0, expression.boolean_result ? DType::boolean : storage, std::move(shape));
  infer_contents(context);
}

void reference_pointwise(const ReferenceCall& call) { run_pointwise(*call.op.expression, call.attributes, call.inputs, call.outputs[0]); }

void run_pointwise(const Expression& expression, const ir::Attributes& attributes, std::span<const Tensor> inputs, Tensor& output) {
  constexpr size_t most_inputs = 8;
  require(inputs.size() <= most_inputs, "a pointwise op has at most {} inputs", most_inputs);
  DType storage = DType::boolean;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!expression.boolean_parameters[i]) storage = inputs[i].dtype();
  const PointwiseLoop loop = expression.loops[static_cast<size_t>(storage)];
  require(loop != nullptr, "element type {} is not supported", dtype_name(storage));

  // Merge dimensions over which every input is contiguous or repeated, so that the inner loop is long.
  const size_t rank = output.shape().size();
  Shape sizes;
  std::vector<std::vector<int64_t>> strides(inputs.size());
  std::vector<std::vector<int64_t>> full(inputs.size(), std::vector<int64_t>(rank, 0));
  for (size_t i = 0; i < inputs.size(); ++i) {
    int64_t stride = 1;
    for (size_t d = inputs[i].shape().size(); d-- > 0;) {
      const int64_t dim = inputs[i].shape()[d];
      const size_t at = d + rank - inputs[i].shape().size();
      require(dim == 1 || dim == output.shape()[at], "an input of shape {} does not broadcast to {}", shape_text(inputs[i].shape()), shape_text(output.shape()));
      full[i][at] = dim == 1 ? 0 : stride;
      stride *= dim;
    }
  }
  for (size_t d = 0; d < rank; ++d) {
    const int64_t dim = output.shape()[d];
    if (dim == 1) continue;
    bool merge = !sizes.empty();
    for (size_t i = 0; i < inputs.size() && merge; ++i) merge = strides[i].back() == full[i][d] * dim;
    if (merge) sizes.back() *= dim;
    else sizes.push_back(dim);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (merge) strides[i].back() = full[i][d];
      else strides[i].push_back(full[i][d]);
    }
  }
  if (sizes.empty()) {
    sizes.push_back(1);
    for (auto& stride : strides) stride.push_back(0);
  }
  if (output.size() == 0) return;
  const int64_t inner = sizes.back(), outer = output.size() / inner;
  const int64_t output_bytes = dtype_bytes(output.dtype());

  const auto run_row = [&](int64_t row, int64_t begin, int64_t end) {
    const void* pointers[most_inputs];
    int64_t steps[most_inputs];
    for (size_t i = 0; i < inputs.size(); ++i) {
      int64_t offset = begin * strides[i].back(), rest = row;
      for (size_t d = sizes.size() - 1; d-- > 0;) {
        offset += rest % sizes[d] * strides[i][d];
        rest /= sizes[d];
      }
      pointers[i] = static_cast<const char*>(inputs[i].raw()) + offset * dtype_bytes(inputs[i].dtype());
      steps[i] = strides[i].back();
    }
    loop(attributes, pointers, steps, static_cast<char*>(output.raw()) + (row * inner + begin) * output_bytes, end - begin);
  };
  constexpr int64_t grain = 1 << 14;
  if (outer == 1) {
    parallel_for(inner, grain, [&](int64_t begin, int64_t end) { run_row(0, begin, end); });
  } else {
    parallel_for(outer, std::max<int64_t>(1, grain / inner), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) run_row(row, 0, inner);
    });
  }
}

}  // namespace burnish::ops
