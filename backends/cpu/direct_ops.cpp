#include "backends/cpu/direct_ops.h"

namespace burnish::cpu {
namespace {

constexpr std::string_view copies =
    "its loop is ops/strided.h's copies, which are memcpy where rows are contiguous";
constexpr std::string_view indexed = "moves elements by an index each: its loop is as good as the memory";
constexpr std::string_view tiny = "a few numbers, or sizes alone";
constexpr std::string_view host =
    "the size of its result depends on data, so the host waits for it in any case";
constexpr std::string_view theirs = "the user's own code";
constexpr std::string_view rare = "rare, and threaded; no model that we know spends time in it";
constexpr std::string_view types = "for element types and cases that our own kernel of the op does not take";

constexpr std::string_view conversion = "a conversion per element, in threads";
constexpr std::string_view products =
    "its products run on ops/gemm.h's blocked and threaded kernel; a SIMD kernel of its own is yet to come";

constexpr DirectOp table[] = {
    // Data movement.
    {"expand", copies},
    {"tile", copies},
    {"depth_to_space", copies},
    {"space_to_depth", copies},
    {"concat", copies},
    {"split", copies},
    {"slice", copies},
    {"pad", copies},
    {"center_crop_pad", copies},
    {"reverse_sequence", copies},
    {"transpose", types},
    {"trilu", indexed},
    {"gather", copies},
    {"gather_elements", indexed},
    {"gather_nd", copies},
    {"scatter_elements", indexed},
    {"scatter_nd", copies},
    {"tensor_scatter", copies},
    {"one_hot", indexed},
    {"cumsum", indexed},
    {"cumprod", indexed},
    // What data decides.
    {"topk", rare},
    {"compress", host, true},
    {"nonzero", host, true},
    {"unique", host, true},
    {"non_max_suppression", host, true},
    {"host_function", theirs, true},
    // Reductions and norms.
    {"reduce_sum", types},
    {"reduce_mean", types},
    {"reduce_max", types},
    {"reduce_min", types},
    {"reduce_prod", types},
    {"reduce_l1", types},
    {"reduce_l2", types},
    {"reduce_sum_square", types},
    {"reduce_log_sum", types},
    {"reduce_log_sum_exp", rare},
    {"arg_max", rare},
    {"arg_min", rare},
    {"softmax", types},
    {"log_softmax", types},
    {"hardmax", rare},
    {"layer_norm", types},
    {"rms_norm", types},
    {"instance_norm", types},
    {"group_norm", types},
    {"batch_norm", rare},
    {"lrn", rare},
    // Windows.
    {"max_pool", types},
    {"average_pool", types},
    {"lp_pool", rare},
    {"max_unpool", indexed},
    {"conv", types},
    {"conv_transpose", types},
    {"deform_conv", rare},
    {"matmul", types},
    {"attention", types},
    {"einsum", rare},
    {"cast", conversion},
    {"quantize_linear", conversion},
    {"dequantize_linear", conversion},
    {"dynamic_quantize_linear", types},
    // Contractions and samplers without a SIMD kernel.
    {"rnn", products},
    {"gru", products},
    {"lstm", types},
    {"matmul_integer", types},
    {"conv_integer", products},
    {"resize", types},
    {"grid_sample", rare},
    {"affine_grid", rare},
    {"roi_align", rare},
    {"max_roi_pool", rare},
    {"col2im", rare},
    {"det", rare},
    {"dft", rare},
    {"stft", rare},
    {"mel_weight_matrix", tiny},
    // Sizes and small results.
    {"shape", tiny},
    {"size", tiny},
    {"dims", tiny},
    {"range", tiny},
    {"eye_like", tiny},
    {"reshape", tiny},
    {"squeeze", tiny},
    {"unsqueeze", tiny},
    {"flatten", tiny},
    {"bitcast", tiny},
};

}  // namespace

std::span<const DirectOp> direct_ops() { return table; }

const DirectOp* find_direct_op(std::string_view name) {
  for (const DirectOp& row : table)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace burnish::cpu
