// Scaled dot-product attention of floats: a head's keys and values are packed once, then blocks of queries
// pass through scores, mask, softmax and values without leaving the cache. Queries, keys, values and the mask
// are read where they lie, and the result is written where the op behind wants it: see ops/strided_source.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "device/concrete_body.h"
#include "ops/attention.h"
#include "ops/strided.h"
#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t query_block = 48;

/// Where an operand's elements lie: from image to image, head to head, row to row and column to column.
struct Places {
  int input = -1;
  int64_t offset = 0, image = 0, head = 0, row = 0, column = 0;

  Places() = default;
  /// Of a static problem.
  Places(const device::Problem& problem, const ops::StridedSource& source)
      : input(problem.input_index(source.source)),
        offset(source.offset.constant()),
        image(source.strides[0].constant()),
        head(source.strides[1].constant()),
        row(source.strides[2].constant()),
        column(source.strides[3].constant()) {}

  const float* at(const void* const* inputs, int64_t in_image, int64_t in_head) const {
    return static_cast<const float*>(inputs[input]) + offset + in_image * image + in_head * head;
  }
};

/// What a mask adds to each key's score.
class MaskRows {
 public:
  /// Of a static problem.
  MaskRows(const device::Problem& problem, const ops::StridedSource& source)
      : input_(problem.input_index(source.source)), offset_(source.offset.constant()) {
    dtype_ = problem.input(input_).dtype;
    for (size_t d = 0; d < source.strides.size(); ++d)
      strides_[d + 4 - source.strides.size()] = source.strides[d].constant();
  }

  int64_t place(int64_t image, int64_t head, int64_t query) const {
    return offset_ + image * strides_[0] + head * strides_[1] + query * strides_[2];
  }
  /// The row at `place`: in the mask itself, or written to `made`.
  const float* row(const void* const* inputs, int64_t place, int64_t keys, float* made) const {
    const void* data = inputs[input_];
    switch (dtype_) {
      case DType::f32: {
        const float* from = static_cast<const float*>(data) + place;
        if (strides_[3] == 1) return from;
        for (int64_t j = 0; j < keys; ++j) made[j] = from[j * strides_[3]];
        return made;
      }
      case DType::i64:
        return hide(static_cast<const int64_t*>(data) + place, keys, made);
      case DType::i32:
        return hide(static_cast<const int32_t*>(data) + place, keys, made);
      default:
        return hide(static_cast<const bool*>(data) + place, keys, made);
    }
  }
  static bool takes(DType dtype) {
    return dtype == DType::f32 || dtype == DType::boolean || dtype == DType::i32 || dtype == DType::i64;
  }

 private:
  template <class T>
  const float* hide(const T* kept, int64_t keys, float* made) const {
    for (int64_t j = 0; j < keys; ++j)
      made[j] = kept[j * strides_[3]] ? 0.0f : -std::numeric_limits<float>::infinity();
    return made;
  }

  int input_;
  int64_t offset_;
  DType dtype_;
  int64_t strides_[4] = {0, 0, 0, 0};
};

/// The attention of a body all of whose other ops only move its operands and its result.
const ir::Node* anchor_of(const device::Problem& problem) {
  for (ir::NodeId id : problem.nodes())
    if (problem.body().node(id).op == &ops::def::attention) return &problem.body().node(id);
  return nullptr;
}

class BoundAttention : public device::BoundKernel {
 public:
  /// `body` is the problem's at the shapes of a run.
  BoundAttention(const device::Problem& problem, const ir::Graph& body, int threads)
      : pointers_(problem), threads_(threads) {
    const ir::Node& node = *anchor_of(problem);
    const auto shape = [&](size_t i) { return *ir::constants(body.value(node.inputs[i]).type.shape); };
    const Shape q = shape(0), k = shape(1), v = shape(2);
    images_ = q[0], heads_ = q[1], queries_ = q[2], size_ = q[3], keys_ = k[2], width_ = v[3];
    sharing_ = heads_ / std::max<int64_t>(1, k[1]);
    for (size_t i = 0; i < 3; ++i) operands_[i] = Places(problem, ops::strided_source(body, node.inputs[i]));
    result_ = Places(problem, ops::strided_result(body, node.outputs[0], body.outputs[0].value));
    const auto& attributes = node.attributes.as<ops::AttentionAttributes>();
    scale_ = attributes.scale != 0 ? static_cast<float>(attributes.scale)
                                   : 1 / std::sqrt(static_cast<float>(size_));
    if (attributes.causal == "none")
      first_visible_ = keys_;
    else
      first_visible_ = attributes.causal == "top_left" ? 1 : keys_ - queries_ + 1;
    if (node.inputs.size() > 3 && node.inputs[3])
      mask_.emplace(problem, ops::strided_source(body, node.inputs[3]));
    // Few heads: several workers share one, and each packs its keys and values.
    const int64_t all_heads = images_ * heads_, blocks = (queries_ + query_block - 1) / query_block;
    splits_ = std::clamp<int64_t>((threads + all_heads - 1) / std::max<int64_t>(1, all_heads), 1,
                                  std::max<int64_t>(1, blocks));
  }

  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_ * floats_per_thread()) * sizeof(float);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const void* const* inputs = pointers_.resolve(arguments);
    const int64_t tasks = images_ * heads_ * splits_;
    if (queries_ * width_ == 0) return;
    current_parallel().run(threads_, [&](int thread) {
      float* scratch = static_cast<float*>(arguments.workspace) + thread * floats_per_thread();
      for (int64_t task = tasks * thread / threads_; task < tasks * (thread + 1) / threads_; ++task)
        run_head(task / splits_ / heads_, task / splits_ % heads_, queries_ * (task % splits_) / splits_,
                 queries_ * (task % splits_ + 1) / splits_, inputs, static_cast<float*>(arguments.outputs[0]),
                 scratch);
    });
  }

 private:
  int64_t floats_per_thread() const {
    return packed_size(size_, keys_) + packed_size(keys_, width_) + std::min(query_block, queries_) * keys_ +
           keys_;
  }

  /// Queries [begin, end) of one head. Scratch: packed keys, packed values, scores, one row of a mask.
  void run_head(int64_t image, int64_t head, int64_t begin, int64_t end, const void* const* inputs,
                float* output, float* scratch) const {
    const auto& [q, k, v] = operands_;
    float* packed_keys = scratch;
    float* packed_values = packed_keys + packed_size(size_, keys_);
    float* scores = packed_values + packed_size(keys_, width_);
    float* mask_row = scores + std::min(query_block, queries_) * keys_;
    pack_panels(k.at(inputs, image, head / sharing_), k.column, k.row, size_, keys_, packed_keys);
    pack_panels(v.at(inputs, image, head / sharing_), v.row, v.column, keys_, width_, packed_values);
    const float* from = q.at(inputs, image, head);
    float* to = output + result_.offset + image * result_.image + head * result_.head;
    const float* added = nullptr;
    int64_t added_place = -1;
    for (int64_t query = begin; query < end; query += query_block) {
      const int64_t count = std::min(query_block, end - query);
      multiply_packed(from + query * q.row, q.row, packed_keys, scores, keys_, count, size_, 0, keys_);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t place = mask_ ? mask_->place(image, head, query + i) : -1;
        if (place != added_place) added = mask_->row(inputs, added_place = place, keys_, mask_row);
        finish_row(query + i, scores + i * keys_, added);
      }
      multiply_packed(scores, keys_, packed_values, to + query * result_.row, result_.row, count, keys_, 0,
                      width_);
    }
  }

  /// Scale, mask and softmax of one query's scores; keys that it may not see get zeros, all of them if it
  /// sees none.
  void finish_row(int64_t query, float* row, const float* added) const {
    const RowKernels& kernels = row_kernels();
    const int64_t visible = std::clamp<int64_t>(query + first_visible_, 0, keys_);
    std::fill(row + visible, row + keys_, 0.0f);
    if (visible == 0) return;
    kernels.scale_add(row, visible, scale_, added);
    kernels.softmax(row, row, visible, false);
    const auto hidden = [](float bias) { return bias == -std::numeric_limits<float>::infinity(); };
    if (added && std::isnan(row[0]) && std::all_of(added, added + visible, hidden))
      std::fill_n(row, visible, 0.0f);
  }

  InputPointers pointers_;
  int threads_;
  std::array<Places, 3> operands_;  // q, k, v
  Places result_;
  float scale_ = 1;
  int64_t first_visible_ = 0;  // how many keys query 0 sees; each later one sees one more
  int64_t images_, heads_, sharing_, queries_, size_, keys_, width_, splits_ = 1;
  std::optional<MaskRows> mask_;
};

/// Whether neighbours along the last dimension are neighbours in memory.
bool has_dense_rows(const ops::StridedSource& source, const ir::TensorType& type) {
  return source.strides.size() == 4 && (source.strides[3].is(1) || type.shape[3].is(1));
}

class AttentionTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.attention"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const ir::Graph& body = problem.body();
    const ir::Node* node = anchor_of(problem);
    if (!node || problem.output_count() != 1) return Support::no("no attention with one result");
    if (node->attributes.as<ops::AttentionAttributes>().softcap != 0)
      return Support::no("softcap is left to the reference");
    std::set<ir::NodeId> moves;
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      if (!node->inputs[i]) continue;
      const ops::StridedSource source = ops::strided_source(body, node->inputs[i]);
      const ir::TensorType& type = body.value(node->inputs[i]).type;
      if (problem.input_index(source.source) < 0) return Support::no("an operand is computed or a literal");
      if (i == 3 ? !MaskRows::takes(type.dtype) : type.dtype != DType::f32)
        return Support::no("it does not take {}", type.str());
      if ((i == 0 || i == 2) && !has_dense_rows(source, type))
        return Support::no("rows of an operand are not dense");
      moves.insert(source.moves.begin(), source.moves.end());
    }
    const ops::StridedSource result = ops::strided_result(body, node->outputs[0], body.outputs[0].value);
    if (!has_dense_rows(result, body.value(node->outputs[0]).type))
      return Support::no("the result is changed by more than a transpose");
    moves.insert(result.moves.begin(), result.moves.end());
    if (!moves.empty() && !device::sizes_are_told(problem))
      return Support::no("its inputs do not tell the sizes of a run");
    if (moves.size() + 1 != problem.nodes().size())
      return Support::no("more than moves beside the attention");
    return only_plain(problem);
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function([problem,
                            threads = device.info().threads](const device::BindArguments& arguments) {
      return std::make_unique<BoundAttention>(problem, *device::concrete_body(problem, arguments), threads);
    });
  }
};

}  // namespace

const device::Tactic& attention_tactic() {
  static const AttentionTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
