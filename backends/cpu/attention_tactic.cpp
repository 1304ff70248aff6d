// Scaled dot-product attention of floats: a head's keys and values are packed once, then blocks of queries
// pass through scores, mask, softmax and values without leaving the cache. The mask is read where it lies.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/attention.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t query_block = 48;

/// Which matrix of a stack [..., rows, columns] belongs to each matrix of the queries' stack.
std::vector<int64_t> matrices_for(const Shape& shape, const Shape& queries) {
  std::vector<int64_t> matrices = {0};
  for (size_t d = 0; d + 2 < queries.size(); ++d) {
    require(shape[d] > 0 && queries[d] % shape[d] == 0, "dimension {} of k or v, {}, does not divide {}", d,
            shape[d], queries[d]);
    std::vector<int64_t> longer;
    for (int64_t matrix : matrices)
      for (int64_t i = 0; i < queries[d]; ++i)
        longer.push_back(matrix * shape[d] + i * shape[d] / queries[d]);
    matrices = std::move(longer);
  }
  return matrices;
}

/// Where the mask's rows lie: elements from matrix to matrix (one entry each), from query to query and from
/// key to key.
struct MaskRows {
  std::vector<int64_t> matrices;
  int64_t query = 0, key = 0;

  MaskRows(Shape shape, const Shape& queries, int64_t keys) {
    shape.insert(shape.begin(), queries.size() - shape.size(), 1);
    const size_t rank = shape.size();
    require((shape[rank - 1] == 1 || shape[rank - 1] == keys) &&
                (shape[rank - 2] == 1 || shape[rank - 2] == queries[rank - 2]),
            "the mask of shape {} does not broadcast to {} keys", shape_text(shape), keys);
    key = shape[rank - 1] == 1 ? 0 : 1;
    query = shape[rank - 2] == 1 ? 0 : shape[rank - 1];
    matrices = {0};
    for (size_t d = 0; d + 2 < rank; ++d) {
      std::vector<int64_t> longer;
      for (int64_t matrix : matrices)
        for (int64_t i = 0; i < queries[d]; ++i)
          longer.push_back(matrix * shape[d] + (shape[d] == 1 ? 0 : i));
      matrices = std::move(longer);
    }
    for (int64_t& matrix : matrices) matrix *= shape[rank - 2] * shape[rank - 1];
  }
};

class BoundAttention : public device::BoundKernel {
 public:
  BoundAttention(const device::Problem& problem, const device::BindArguments& arguments, int threads)
      : pointers_(problem), threads_(threads) {
    const ir::Node& node = problem.node(0);
    for (size_t i = 0; i < node.inputs.size(); ++i)
      places_[i] = node.inputs[i] ? problem.input_index(node.inputs[i]) : -1;
    const auto shape = [&](size_t i) { return arguments.inputs[static_cast<size_t>(places_[i])].shape; };
    const Shape q = shape(0), k = shape(1), v = shape(2);
    const size_t rank = q.size();
    queries_ = q[rank - 2], size_ = q[rank - 1], keys_ = k[rank - 2], width_ = v[rank - 1];
    const auto& attributes = node.attributes.as<ops::AttentionAttributes>();
    scale_ = attributes.scale != 0 ? static_cast<float>(attributes.scale)
                                   : 1 / std::sqrt(static_cast<float>(size_));
    if (attributes.causal == "none")
      first_visible_ = keys_;
    else
      first_visible_ = attributes.causal == "top_left" ? 1 : keys_ - queries_ + 1;
    key_of_ = matrices_for(k, q);
    value_of_ = matrices_for(v, q);
    if (places_[3] >= 0) {
      const device::BoundTensor& mask = arguments.inputs[static_cast<size_t>(places_[3])];
      mask_.emplace(mask.shape, q, keys_);
      boolean_mask_ = mask.dtype == DType::boolean;
    }
    // Few heads: several workers share one, and each packs its keys and values.
    const auto heads = static_cast<int64_t>(key_of_.size());
    const int64_t blocks = (queries_ + query_block - 1) / query_block;
    splits_ = std::clamp<int64_t>((threads + heads - 1) / std::max<int64_t>(1, heads), 1,
                                  std::max<int64_t>(1, blocks));
  }

  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_ * floats_per_thread()) * sizeof(float);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const void* const* inputs = pointers_.resolve(arguments);
    const int64_t tasks = static_cast<int64_t>(key_of_.size()) * splits_;
    if (queries_ * width_ == 0) return;
    current_parallel().run(threads_, [&](int thread) {
      float* scratch = static_cast<float*>(arguments.workspace) + thread * floats_per_thread();
      for (int64_t task = tasks * thread / threads_; task < tasks * (thread + 1) / threads_; ++task)
        run_head(task / splits_, queries_ * (task % splits_) / splits_,
                 queries_ * (task % splits_ + 1) / splits_, inputs, static_cast<float*>(arguments.outputs[0]),
                 scratch);
    });
  }

 private:
  int64_t floats_per_thread() const {
    return packed_size(size_, keys_) + packed_size(keys_, width_) + std::min(query_block, queries_) * keys_ +
           keys_;
  }
  const float* operand(const void* const* inputs, size_t i) const {
    return static_cast<const float*>(inputs[places_[i]]);
  }

  /// Queries [begin, end) of one head. Scratch: packed keys, packed values, scores, one row of a mask.
  void run_head(int64_t head, int64_t begin, int64_t end, const void* const* inputs, float* output,
                float* scratch) const {
    const auto index = static_cast<size_t>(head);
    float* packed_keys = scratch;
    float* packed_values = packed_keys + packed_size(size_, keys_);
    float* scores = packed_values + packed_size(keys_, width_);
    float* mask_row = scores + std::min(query_block, queries_) * keys_;
    pack_panels(operand(inputs, 1) + key_of_[index] * keys_ * size_, 1, size_, size_, keys_, packed_keys);
    pack_panels(operand(inputs, 2) + value_of_[index] * keys_ * width_, width_, 1, keys_, width_,
                packed_values);
    const float* from = operand(inputs, 0) + head * queries_ * size_;
    for (int64_t query = begin; query < end; query += query_block) {
      const int64_t count = std::min(query_block, end - query);
      multiply_packed(from + query * size_, size_, packed_keys, scores, keys_, count, size_, 0, keys_);
      for (int64_t i = 0; i < count; ++i) finish_row(index, query + i, scores + i * keys_, mask_row, inputs);
      multiply_packed(scores, keys_, packed_values, output + (head * queries_ + query) * width_, width_,
                      count, keys_, 0, width_);
    }
  }

  /// Scale, mask and softmax of one query's scores; keys that it may not see get zeros, all of them if it
  /// sees none.
  void finish_row(size_t head, int64_t query, float* row, float* mask_row, const void* const* inputs) const {
    const RowKernels& kernels = row_kernels();
    const int64_t visible = std::clamp<int64_t>(query + first_visible_, 0, keys_);
    const float* added = mask_ ? mask_at(head, query, mask_row, inputs) : nullptr;
    std::fill(row + visible, row + keys_, 0.0f);
    if (visible == 0) return;
    kernels.scale_add(row, visible, scale_, added);
    kernels.softmax(row, row, visible, false);
    const auto hidden = [](float bias) { return bias == -std::numeric_limits<float>::infinity(); };
    if (added && std::isnan(row[0]) && std::all_of(added, added + visible, hidden))
      std::fill_n(row, visible, 0.0f);
  }

  /// What the mask adds to each key's score: a row of it in place, or written to `made`.
  const float* mask_at(size_t head, int64_t query, float* made, const void* const* inputs) const {
    const int64_t offset = mask_->matrices[head] + query * mask_->query;
    if (!boolean_mask_ && mask_->key == 1) return operand(inputs, 3) + offset;
    const bool* kept = static_cast<const bool*>(inputs[places_[3]]);
    constexpr float hidden = -std::numeric_limits<float>::infinity();
    for (int64_t j = 0; j < keys_; ++j) {
      const int64_t at = offset + j * mask_->key;
      made[j] = boolean_mask_ ? (kept[at] ? 0.0f : hidden) : operand(inputs, 3)[at];
    }
    return made;
  }

  InputPointers pointers_;
  int threads_;
  int places_[4] = {-1, -1, -1, -1};
  float scale_ = 1;
  int64_t first_visible_ = 0;  // how many keys query 0 sees; each later one sees one more
  int64_t queries_, size_, keys_, width_, splits_ = 1;
  std::vector<int64_t> key_of_, value_of_;
  std::optional<MaskRows> mask_;
  bool boolean_mask_ = false;
};

class AttentionTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.attention"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::attention)) return Support::no("not attention alone");
    const ir::Node& node = problem.node(0);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.inputs[i]) continue;
      if (problem.input_index(node.inputs[i]) < 0) return Support::no("an operand is a literal");
      const DType dtype = problem.body().value(node.inputs[i]).type.dtype;
      if (dtype != DType::f32 && !(i == 3 && dtype == DType::boolean)) return Support::no("f32 only");
    }
    if (node.attributes.as<ops::AttentionAttributes>().softcap != 0)
      return Support::no("softcap is left to the reference");
    return only_plain(problem);
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function(
        [problem, threads = device.info().threads](const device::BindArguments& arguments) {
          return std::make_unique<BoundAttention>(problem, arguments, threads);
        });
  }
};

}  // namespace

const device::Tactic& attention_tactic() {
  static const AttentionTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
