// The table of lowerings: ONNX ops that do not map one to one on an IR op. See OpDef::onnx for those that do.
#pragma once

#include <span>
#include <string_view>

namespace burnish::onnx {

class Lower;

// X(op, domain, since, function); one table per file that has the functions. Of an op's rows, and the names that
// ops declare, the one with the newest `since` that is not above the model's opset is taken.
// clang-format off
// lower_constant.cpp
#define BURNISH_CONSTANT_LOWERINGS(X) \
  X("Identity", "", 1, lower_identity) \
  X("Constant", "", 1, lower_constant) \
  X("Dropout", "", 1, lower_dropout) \
  X("CastLike", "", 15, lower_cast_like) \
  X("Cast", "", 1, lower_old_cast)

// lower_data.cpp
#define BURNISH_DATA_LOWERINGS(X) \
  X("Reshape", "", 1, lower_reshape_1) \
  X("Squeeze", "", 1, lower_squeeze) \
  X("Unsqueeze", "", 1, lower_unsqueeze) \
  X("ConstantOfShape", "", 9, lower_constant_of_shape) \
  X("Expand", "", 8, lower_expand) \
  X("EyeLike", "", 9, lower_eye_like) \
  X("Concat", "", 1, lower_concat_1) \
  X("Split", "", 1, lower_split) \
  X("Slice", "", 1, lower_slice_1) \
  X("Pad", "", 1, lower_pad_1) \
  X("Tile", "", 1, lower_tile_1) \
  X("Compress", "", 9, lower_compress) \
  X("Unique", "", 11, lower_unique) \
  X("TopK", "", 1, lower_topk_1)

// lower_vision.cpp
#define BURNISH_VISION_LOWERINGS(X) \
  X("Upsample", "", 1, lower_upsample_1) \
  X("Upsample", "", 7, lower_upsample_7) \
  X("Upsample", "", 9, lower_resize_10) \
  X("Resize", "", 10, lower_resize_10) \
  X("GridSample", "", 16, lower_grid_sample) \
  X("RoiAlign", "", 10, lower_roi_align_10)

// lower_quantize.cpp
#define BURNISH_QUANTIZE_LOWERINGS(X) \
  X("QuantizeLinear", "", 10, lower_quantize) \
  X("DequantizeLinear", "", 10, lower_dequantize) \
  X("QLinearMatMul", "", 10, lower_qlinear_matmul) \
  X("QLinearConv", "", 10, lower_qlinear_conv)

// lower_qlinear.cpp
#define BURNISH_QLINEAR_LOWERINGS(X) \
  X("QLinearAdd", "com.microsoft", 1, lower_qlinear_add) \
  X("QLinearMul", "com.microsoft", 1, lower_qlinear_mul) \
  X("QLinearSigmoid", "com.microsoft", 1, lower_qlinear_sigmoid) \
  X("QLinearLeakyRelu", "com.microsoft", 1, lower_qlinear_leaky_relu) \
  X("QLinearAveragePool", "com.microsoft", 1, lower_qlinear_average_pool) \
  X("QLinearGlobalAveragePool", "com.microsoft", 1, lower_qlinear_global_average_pool) \
  X("QLinearSoftmax", "com.microsoft", 1, lower_qlinear_softmax) \
  X("QLinearWhere", "com.microsoft", 1, lower_qlinear_where) \
  X("QLinearConcat", "com.microsoft", 1, lower_qlinear_concat) \
  X("QGemm", "com.microsoft", 1, lower_qgemm)

// lower_loss.cpp
#define BURNISH_LOSS_LOWERINGS(X) \
  X("NegativeLogLikelihoodLoss", "", 12, lower_negative_log_likelihood_loss) \
  X("SoftmaxCrossEntropyLoss", "", 12, lower_softmax_cross_entropy_loss)

// lower_einsum.cpp
#define BURNISH_EINSUM_LOWERINGS(X) \
  X("Einsum", "", 12, lower_einsum)

// lower_recurrent.cpp
#define BURNISH_RECURRENT_LOWERINGS(X) \
  X("RNN", "", 1, lower_rnn) \
  X("GRU", "", 1, lower_gru) \
  X("LSTM", "", 1, lower_lstm)

// lower_signal.cpp
#define BURNISH_SIGNAL_LOWERINGS(X) \
  X("DFT", "", 17, lower_old_dft) \
  X("HannWindow", "", 17, lower_hann_window) \
  X("HammingWindow", "", 17, lower_hamming_window) \
  X("BlackmanWindow", "", 17, lower_blackman_window)

// lower_attention.cpp
#define BURNISH_ATTENTION_LOWERINGS(X) \
  X("Attention", "", 23, lower_attention) \
  X("FlexAttention", "ai.onnx.preview", 1, lower_flex_attention)

// lower_rotary.cpp
#define BURNISH_ROTARY_LOWERINGS(X) \
  X("RotaryEmbedding", "", 23, lower_rotary_embedding)

// lower_linear.cpp
#define BURNISH_LINEAR_LOWERINGS(X) \
  X("Conv", "", 1, lower_conv) \
  X("MaxPool", "", 1, lower_max_pool) \
  X("AveragePool", "", 1, lower_average_pool) \
  X("LpPool", "", 2, lower_lp_pool) \
  X("GlobalAveragePool", "", 1, lower_global_average_pool) \
  X("GlobalMaxPool", "", 1, lower_global_max_pool) \
  X("GlobalLpPool", "", 1, lower_global_lp_pool) \
  X("Gemm", "", 1, lower_gemm)

// lower_norm.cpp
#define BURNISH_NORM_LOWERINGS(X) \
  X("Softmax", "", 1, lower_old_softmax) \
  X("LogSoftmax", "", 1, lower_old_log_softmax) \
  X("Hardmax", "", 1, lower_old_hardmax) \
  X("BatchNormalization", "", 1, lower_batch_norm) \
  X("GroupNormalization", "", 18, lower_old_group_norm) \
  X("LpNormalization", "", 1, lower_lp_normalization) \
  X("MeanVarianceNormalization", "", 9, lower_mean_variance_normalization) \
  X("ReduceSum", "", 1, lower_reduce) \
  X("ReduceMean", "", 1, lower_reduce) \
  X("ReduceMax", "", 1, lower_reduce) \
  X("ReduceMin", "", 1, lower_reduce) \
  X("ReduceProd", "", 1, lower_reduce) \
  X("ReduceL1", "", 1, lower_reduce) \
  X("ReduceL2", "", 1, lower_reduce) \
  X("ReduceSumSquare", "", 1, lower_reduce) \
  X("ReduceLogSum", "", 1, lower_reduce) \
  X("ReduceLogSumExp", "", 1, lower_reduce)

// lower_arithmetic.cpp
#define BURNISH_ARITHMETIC_LOWERINGS(X) \
  X("Add", "", 1, lower_old_broadcast) \
  X("Sub", "", 1, lower_old_broadcast) \
  X("Mul", "", 1, lower_old_broadcast) \
  X("Div", "", 1, lower_old_broadcast) \
  X("And", "", 1, lower_old_broadcast) \
  X("Or", "", 1, lower_old_broadcast) \
  X("Xor", "", 1, lower_old_broadcast) \
  X("Equal", "", 1, lower_old_broadcast) \
  X("Less", "", 1, lower_old_broadcast) \
  X("Greater", "", 1, lower_old_broadcast) \
  X("Sub", "", 7, lower_sub) \
  X("Pow", "", 1, lower_pow) \
  X("Mod", "", 10, lower_mod) \
  X("BitShift", "", 11, lower_bit_shift) \
  X("Sum", "", 1, lower_sum) \
  X("Mean", "", 1, lower_mean) \
  X("Max", "", 1, lower_max) \
  X("Min", "", 1, lower_min) \
  X("Clip", "", 1, lower_old_clip) \
  X("Clip", "", 11, lower_clip)

// lower_activation.cpp
#define BURNISH_ACTIVATION_LOWERINGS(X) \
  X("Gelu", "", 20, lower_gelu) \
  X("Gelu", "com.microsoft", 1, lower_gelu) \
  X("Swish", "", 24, lower_swish) \
  X("SwiGLU", "", 28, lower_swiglu) \
  X("Selu", "", 1, lower_selu) \
  X("Celu", "", 12, lower_celu) \
  X("Mish", "", 18, lower_mish) \
  X("Softsign", "", 1, lower_softsign) \
  X("Shrink", "", 9, lower_shrink) \
  X("ThresholdedRelu", "", 1, lower_thresholded_relu) \
  X("PRelu", "", 1, lower_prelu)

// lower_state.cpp
#define BURNISH_STATE_LOWERINGS(X) \
  X("CausalConvWithState", "", 27, lower_causal_conv_with_state) \
  X("LinearAttention", "", 27, lower_linear_attention)

// lower_sequence.cpp
#define BURNISH_SEQUENCE_LOWERINGS(X) \
  X("SequenceEmpty", "", 11, lower_sequence_empty) \
  X("SequenceConstruct", "", 11, lower_sequence_construct) \
  X("SequenceAt", "", 11, lower_sequence_at) \
  X("SequenceInsert", "", 11, lower_sequence_insert) \
  X("SequenceErase", "", 11, lower_sequence_erase) \
  X("SequenceLength", "", 11, lower_sequence_length) \
  X("SplitToSequence", "", 11, lower_split_to_sequence) \
  X("ConcatFromSequence", "", 11, lower_concat_from_sequence)

// lower_ngram.cpp
#define BURNISH_NGRAM_LOWERINGS(X) \
  X("TfIdfVectorizer", "", 9, lower_tfidf_vectorizer)

// lower_control.cpp
#define BURNISH_CONTROL_LOWERINGS(X) \
  X("If", "", 1, lower_if) \
  X("Loop", "", 1, lower_loop) \
  X("Scan", "", 8, lower_scan_8) \
  X("Scan", "", 9, lower_scan)

#define BURNISH_LOWERINGS(X) \
  BURNISH_CONSTANT_LOWERINGS(X) \
  BURNISH_DATA_LOWERINGS(X) \
  BURNISH_VISION_LOWERINGS(X) \
  BURNISH_QUANTIZE_LOWERINGS(X) \
  BURNISH_QLINEAR_LOWERINGS(X) \
  BURNISH_LOSS_LOWERINGS(X) \
  BURNISH_EINSUM_LOWERINGS(X) \
  BURNISH_RECURRENT_LOWERINGS(X) \
  BURNISH_SIGNAL_LOWERINGS(X) \
  BURNISH_ATTENTION_LOWERINGS(X) \
  BURNISH_ROTARY_LOWERINGS(X) \
  BURNISH_LINEAR_LOWERINGS(X) \
  BURNISH_NORM_LOWERINGS(X) \
  BURNISH_ARITHMETIC_LOWERINGS(X) \
  BURNISH_ACTIVATION_LOWERINGS(X) \
  BURNISH_STATE_LOWERINGS(X) \
  BURNISH_SEQUENCE_LOWERINGS(X) \
  BURNISH_NGRAM_LOWERINGS(X) \
  BURNISH_CONTROL_LOWERINGS(X)
// clang-format on

#define BURNISH_DECLARE(OP, DOMAIN, SINCE, FUNCTION) void FUNCTION(Lower& node);
BURNISH_LOWERINGS(BURNISH_DECLARE)
#undef BURNISH_DECLARE

struct Lowering {
  std::string_view op, domain;
  int since;
  void (*lower)(Lower& node);
};

std::span<const Lowering> all_lowerings();

}  // namespace burnish::onnx
