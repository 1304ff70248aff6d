// The table of ops: one line each, by the file that declares it. X(variable) names ops::def::variable.
#pragma once

#define BURNISH_OPS(X)                                        \
  /* region.cpp */                                            \
  X(region) X(reformat)                                       \
  /* user.cpp */                                              \
  X(user_pointwise) X(user_kernel) X(host_function)           \
  /* conv.cpp, matmul.cpp, einsum.cpp */                      \
  X(conv) X(conv_transpose) X(deform_conv) X(matmul)          \
  X(einsum)                                                   \
  /* pool.cpp */                                              \
  X(max_pool) X(average_pool) X(lp_pool) X(max_unpool)        \
  /* reduce.cpp */                                            \
  X(reduce_sum) X(reduce_mean) X(reduce_max) X(reduce_min)    \
  X(reduce_prod) X(reduce_l1) X(reduce_l2)                    \
  X(reduce_sum_square) X(reduce_log_sum)                      \
  X(reduce_log_sum_exp) X(arg_max) X(arg_min)                 \
  /* norm.cpp */                                              \
  X(batch_norm) X(layer_norm) X(rms_norm) X(instance_norm)    \
  X(group_norm) X(lrn)                                        \
  /* attention.cpp */                                         \
  X(attention)                                                \
  /* signal.cpp */                                            \
  X(dft) X(stft) X(mel_weight_matrix) X(det)                  \
  /* recurrent.cpp */                                         \
  X(rnn) X(gru) X(lstm)                                       \
  /* softmax.cpp */                                           \
  X(softmax) X(log_softmax) X(hardmax)                        \
  /* arithmetic.cpp */                                        \
  X(add) X(sub) X(mul) X(div) X(pow) X(mod) X(fmod)           \
  X(minimum) X(maximum) X(neg) X(abs) X(sign)                 \
  X(exp) X(log) X(sqrt) X(rsqrt) X(reciprocal)                \
  X(floor) X(ceil) X(round) X(erf)                            \
  /* activation.cpp */                                        \
  X(relu) X(leaky_relu) X(sigmoid) X(tanh) X(gelu) X(silu)    \
  X(hardsigmoid) X(hardswish) X(elu) X(softplus) X(clip)      \
  X(prelu)                                                    \
  /* trigonometry.cpp */                                      \
  X(sin) X(cos) X(tan) X(asin) X(acos) X(atan)                \
  X(sinh) X(cosh) X(asinh) X(acosh) X(atanh)                  \
  /* bitwise.cpp */                                           \
  X(shift_left) X(shift_right) X(bitwise_and) X(bitwise_or)   \
  X(bitwise_xor) X(bitwise_not)                               \
  /* control.cpp */                                           \
  X(if_else) X(loop) X(scan)                                  \
  /* cast.cpp */                                              \
  X(cast)                                                     \
  /* comparison.cpp */                                        \
  X(equal) X(less) X(less_or_equal) X(greater)                \
  X(greater_or_equal) X(logical_and) X(logical_or)            \
  X(logical_xor) X(logical_not) X(is_nan) X(is_inf) X(where)                      \
  /* view.cpp */                                              \
  X(reshape) X(squeeze) X(unsqueeze) X(flatten) X(bitcast)    \
  /* shape.cpp */                                             \
  X(shape) X(size) X(dims) X(range) X(eye_like)               \
  /* transpose.cpp */                                         \
  X(transpose) X(expand) X(tile)                              \
  X(depth_to_space) X(space_to_depth)                         \
  /* join.cpp, slice.cpp, pad.cpp, sequence.cpp */            \
  X(concat) X(split) X(slice) X(pad) X(center_crop_pad)       \
  X(reverse_sequence) X(trilu)                                \
  /* gather.cpp, scatter.cpp */                               \
  X(gather) X(gather_elements) X(gather_nd)                   \
  X(scatter_elements) X(scatter_nd) X(tensor_scatter)         \
  /* select.cpp, non_max_suppression.cpp, cumulative.cpp */   \
  X(compress) X(nonzero) X(one_hot) X(topk) X(unique)         \
  X(non_max_suppression) X(cumsum) X(cumprod)                 \
  /* resize.cpp, grid.cpp, roi.cpp, col2im.cpp */             \
  X(resize) X(grid_sample) X(affine_grid)                     \
  X(roi_align) X(max_roi_pool) X(col2im)                      \
  /* quantize.cpp, integer.cpp */                             \
  X(quantize_linear) X(dequantize_linear)                     \
  X(dynamic_quantize_linear) X(matmul_integer) X(conv_integer)
