#include "tune/sample.h"

#include <algorithm>
#include <set>

#include "ops/contraction.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "tune/work.h"

namespace burnish::tune {
namespace {

/// Less than this the reference computes in some tens of milliseconds.
constexpr double least_elements = 8e6, least_multiply_adds = 5e8;
constexpr int64_t least_entries = 5, least_results = 1 << 16;

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

/// Follows the batch, dimension 0 of the results, back and forth through a body.
class BatchWalk {
 public:
  explicit BatchWalk(const device::Problem& problem) : problem_(problem), type_(problem.output(0)) {}

  /// The inputs that have the batch; empty where an entry of the results may depend on another entry of the inputs.
  std::vector<bool> inputs() {
    std::vector<bool> with(static_cast<size_t>(problem_.input_count()));
    for (int i = 0; i < problem_.input_count(); ++i) {
      if (problem_.is_weight(i) || !has_batch(problem_.input(i))) continue;
      if (!is_float(problem_.input(i).dtype)) return {};
      with[static_cast<size_t>(i)] = true;
      batched_.insert(problem_.body().inputs()[static_cast<size_t>(i)]);
    }
    for (size_t i = 0; i < problem_.nodes().size(); ++i)
      if (!passes(problem_.node(i), problem_.op(i))) return {};
    for (int i = 0; i < problem_.output_count(); ++i)
      if (!batched_.contains(problem_.body().outputs[static_cast<size_t>(i)].value)) return {};
    return with;
  }

 private:
  bool has_batch(const ir::TensorType& type) const { return type.rank() == type_.rank() && type.shape[0] == type_.shape[0]; }
  bool batched(ir::ValueId value) const { return value && batched_.contains(value); }

  bool passes(const ir::Node& node, const ops::OpDef& op) {
    const auto count = std::count_if(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId value) { return batched(value); });
    if (count == 0 || !keeps_entries_apart(node, op, count)) return false;
    for (ir::ValueId output : node.outputs) {
      if (!has_batch(problem_.body().value(output).type)) return false;
      batched_.insert(output);
    }
    return true;
  }

  bool keeps_entries_apart(const ir::Node& node, const ops::OpDef& op, std::ptrdiff_t count) const {
    if (op.fusion == ops::Fusion::pointwise) return others_are_repeated(node);
    if (&op == &ops::def::reformat) return true;
    const bool first_alone = batched(node.inputs[0]) && count == 1;
    // The indices that a pool may give count through the whole batch.
    if (&op == &ops::def::conv || &op == &ops::def::max_pool || &op == &ops::def::average_pool) return first_alone && node.outputs.size() == 1;
    if (&op == &ops::def::concat)
      return count == static_cast<std::ptrdiff_t>(node.inputs.size()) &&
             ops::normalize_axis(node.attributes.as<ops::AxisAttributes>().axis, type_.rank()) != 0;
    if (&op == &ops::def::matmul) return multiplies_apart(node);
    if (&op == &ops::def::reduce_mean) {
      const std::vector<int64_t>& axes = node.attributes.as<ops::ReduceAttributes>().axes;
      return first_alone && node.inputs.size() == 1 && !axes.empty() &&
             std::none_of(axes.begin(), axes.end(), [&](int64_t axis) { return ops::normalize_axis(axis, type_.rank()) == 0; });
    }
    return false;
  }

  /// Whether what has no batch is the same for all of its entries.
  bool others_are_repeated(const ir::Node& node) const {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId value) {
      if (!value || batched(value)) return true;
      const ir::TensorType& type = problem_.body().value(value).type;
      return type.rank() < type_.rank() || type.shape[0].is(1);
    });
  }

  /// Rows of a matrix times one right operand, or a stack of matrices each by its own.
  bool multiplies_apart(const ir::Node& node) const {
    if (!batched(node.inputs[0])) return false;
    if (type_.rank() == 2) return !batched(node.inputs[1]) && !node.attributes.as<ops::MatMulAttributes>().transpose_a;
    return others_are_repeated(node);
  }

  const device::Problem& problem_;
  const ir::TensorType& type_;  // of the first result
  std::set<ir::ValueId> batched_;
};

double elements(const ir::TensorType& type) { return static_cast<double>(ir::product(type.shape).constant()); }

/// `count` of [0, batch): the first, the last, and others spread over what lies between, no two at one distance.
std::vector<int64_t> spread(int64_t batch, int64_t count) {
  std::vector<int64_t> entries = {0};
  uint64_t state = 20261122;
  for (int64_t i = 1; i + 1 < count; ++i) {
    const int64_t begin = 1 + (batch - 2) * (i - 1) / (count - 2), end = 1 + (batch - 2) * i / (count - 2);
    state = state * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX
    entries.push_back(begin + static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(std::max<int64_t>(1, end - begin))));
  }
  entries.push_back(batch - 1);
  return entries;
}

}  // namespace

Sample sample_of(const device::Problem& problem) {
  if (problem.output_count() == 0 || problem.output(0).rank() < 2) return {};
  double most = 0, results = 0;
  for (int i = 0; i < problem.input_count(); ++i) most = std::max(most, elements(problem.input(i)));
  for (int i = 0; i < problem.output_count(); ++i) results = std::max(results, elements(problem.output(i)));
  if (std::max(most, results) < least_elements && work_of(problem).multiply_adds < least_multiply_adds) return {};
  const int64_t batch = problem.output(0).shape[0].constant();
  const auto enough = static_cast<int64_t>(static_cast<double>(least_results) * static_cast<double>(batch) / std::max(1.0, results));
  const int64_t count = std::max(least_entries, enough);
  if (count * 2 > batch) return {};
  std::vector<bool> inputs = BatchWalk(problem).inputs();
  if (inputs.empty()) return {};
  return {batch, spread(batch, count), std::move(inputs)};
}

}  // namespace burnish::tune
