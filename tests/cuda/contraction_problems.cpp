// Convolutions and products, with what stands before and behind them.
#include <fmt/format.h>

#include "problem_families.h"

namespace burnish::cuda_tests {
namespace {

/// conv + bias [+ residual] + relu, one kernel.
std::string conv(const std::string& dtype, int n, int c, int h, int w, int filters, int kernel, int stride,
                 int pad, bool residual, int group = 1, const char* in = " nhwc", const char* out = " nhwc") {
  const int oh = (h + 2 * pad - kernel) / stride + 1, ow = (w + 2 * pad - kernel) / stride + 1;
  const std::string y = fmt::format("{}[{},{},{},{}]", dtype, n, filters, oh, ow);
  std::string text =
      fmt::format("graph problem(%x0: {}[{},{},{},{}]{}, %w1: {}[{},{},{},{}], %w2: {}[{}]", dtype, n, c, h,
                  w, in, dtype, filters, c / group, kernel, kernel, dtype, filters);
  if (residual) text += fmt::format(", %x3: {}{}", y, out);
  text += fmt::format(
      ") {{ %v0 = conv(%x0, %w1, %w2) {{strides=[{0},{0}], pads=[{1},{1},{1},{1}], group={2}}} : {3} ",
      stride, pad, group, y);
  if (residual)
    text += fmt::format("%v1 = add(%v0, %x3) : {} %v2 = relu(%v1) : {}{} yield %v2 }}", y, y, out);
  else
    text += fmt::format("%v1 = relu(%v0) : {}{} yield %v1 }}", y, out);
  return text;
}

/// Transposed convolution + bias, with the given ops of %v0 behind it, which make %y.
std::string transposed(const std::string& dtype, int n, int c, std::pair<int, int> size, int maps, int kernel,
                       int stride, int pad, int extra, const char* behind, const char* layout = " nhwc",
                       bool residual = false) {
  const auto out = [&](int in) { return (in - 1) * stride + kernel + extra - 2 * pad; };
  const std::string y = fmt::format("{}[{},{},{},{}]", dtype, n, maps, out(size.first), out(size.second));
  return fmt::format(
             "graph problem(%x0: {0}[{1},{2},{3},{4}]{5}, %w1: {0}[{2},{6},{7},{7}], %w2: {0}[{6}]{8}) {{ "
             "%v0 = conv_transpose(%x0, "
             "%w1, %w2) {{strides=[{9},{9}], pads=[{10},{10},{10},{10}], output_padding=[{11},{11}]}} : "
             "{12} ",
             dtype, n, c, size.first, size.second, layout, maps, kernel,
             residual ? fmt::format(", %x3: {}{}", y, layout) : "", stride, pad, extra, y) +
         fmt::format("%y = {} : {}{} yield %y }}", behind, y, layout);
}

void add_transposed_convolutions(Texts& texts) {
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    texts.push_back(transposed(dtype, 2, 24, {9, 7}, 24, 2, 2, 0, 0, "relu(%v0)"));  // windows side by side
    texts.push_back(transposed(dtype, 1, 24, {10, 6}, 1, 2, 2, 0, 0, "sigmoid(%v0)"));
    texts.push_back(transposed(dtype, 2, 16, {5, 6}, 8, 2, 2, 0, 0, "relu(%v0)", ""));
    texts.push_back(transposed(dtype, 2, 40, {7, 9}, 16, 4, 2, 1, 0, "add(%v0, %x3)", " nhwc", true));
    texts.push_back(transposed(dtype, 1, 16, {5, 6}, 8, 3, 2, 1, 1, "relu(%v0)", ""));
    texts.push_back(transposed(dtype, 1, 72, {5, 4}, 17, 5, 3, 2, 0, "relu(%v0)"));
    texts.push_back(transposed(dtype, 1, 64, {1, 1}, 24, 2, 2, 0, 0, "relu(%v0)"));
    texts.push_back(transposed(dtype, 2, 3, {6, 5}, 16, 4, 2, 1, 0, "relu(%v0)"));   // few channels
    texts.push_back(transposed(dtype, 3, 64, {1, 1}, 40, 4, 1, 0, 0, "relu(%v0)"));  // an image of one pixel
    texts.push_back(transposed(dtype, 1, 32, {4, 5}, 24, 2, 3, 1, 1, "add(%x3, %v0)", " nhwc",
                               true));  // holes between windows
    texts.push_back(
        transposed(dtype, 1, 32, {6, 5}, 8, 2, 2, 0, 1, "relu(%v0)"));  // an end that no window reaches
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,16,13], %w1: {0}[16,24,4]) {{ %v0 = conv_transpose(%x0, %w1) "
                    "{{strides=[2], "
                    "pads=[1,1]}} : {0}[2,24,26] yield %v0 }}",
                    dtype));
  }
}

}  // namespace

void add_contractions(Texts& texts) {
  add_transposed_convolutions(texts);
  // short products in many waves of clusters: blocks leave soon after they last wrote to each other
  texts.push_back(conv("f16", 128, 96, 56, 56, 24, 1, 1, 0, false));
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    texts.push_back(conv(dtype, 1, 64, 9, 7, 72, 3, 1, 1, true));
    texts.push_back(conv(dtype, 2, 40, 11, 13, 24, 3, 2, 1, false));
    texts.push_back(conv(dtype, 2, 136, 19, 30, 200, 3, 1, 1, true));
    texts.push_back(conv(dtype, 3, 72, 9, 17, 40, 2, 2, 0, true));
    texts.push_back(conv(dtype, 1, 16, 37, 5, 48, 5, 1, 2, false));
    texts.push_back(conv(dtype, 2, 72, 11, 10, 56, 1, 2, 0, false));
    texts.push_back(conv(dtype, 1, 128, 7, 7, 200, 1, 1, 0, true));
    texts.push_back(conv(dtype, 3, 3, 33, 31, 32, 7, 2, 3, false));
    texts.push_back(conv(dtype, 1, 3, 20, 21, 17, 3, 2, 1, false, 1, "", " nhwc"));
    texts.push_back(conv(dtype, 1, 24, 10, 12, 16, 5, 1, 2, true, 1, "", ""));
    // channels that copies of 16 bytes do not divide
    texts.push_back(conv(dtype, 2, 12, 9, 11, 24, 3, 1, 1, true));
    texts.push_back(conv(dtype, 1, 58, 7, 6, 116, 1, 1, 0, false));
    texts.push_back(conv(dtype, 1, 13, 10, 9, 40, 2, 2, 0, false));
    texts.push_back(conv(dtype, 2, 40, 8, 9, 48, 3, 2, 1, false, 2));
    // few channels: windows that begin at odd pixels, of odd and even widths
    texts.push_back(conv(dtype, 2, 3, 19, 23, 40, 3, 1, 1, true, 1, "", " nhwc"));
    texts.push_back(conv(dtype, 1, 3, 37, 50, 72, 11, 4, 2, false, 1, "", " nhwc"));
    texts.push_back(conv(dtype, 3, 4, 18, 17, 30, 4, 3, 2, false, 1, "", ""));
    texts.push_back(conv(dtype, 2, 1, 21, 40, 96, 7, 2, 3, true, 1, "", " nhwc"));
    for (const char* in : {"", " nhwc"}) {  // patches, of an image that they do not fill
      texts.push_back(conv(dtype, 2, 3, 35, 40, 72, 8, 8, 0, false, 1, in, " nhwc"));
      texts.push_back(conv(dtype, 1, 2, 48, 64, 24, 16, 8, 0, true, 1, in, " nhwc"));
    }
    texts.push_back(conv(dtype, 2, 64, 8, 9, 64, 3, 1, 1, false, 4));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,33,96], %w1: {0}[96,136], %w2: {0}[136]) {{ %v0 = matmul(%x0, "
                    "%w1) : {0}[2,33,136] "
                    "%v1 = add(%v0, %w2) : {0}[2,33,136] %v2 = gelu(%v1) : {0}[2,33,136] yield %v2 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,3,37,64], %x1: {0}[2,3,41,64]) {{ %v0 = matmul(%x0, %x1) "
                    "{{transpose_b=true}} : {0}[2,3,37,41] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[6,37,41], %x1: {0}[6,41,24], %x2: {0}[6,37,24]) {{ %v0 = "
                    "matmul(%x0, %x1) : {0}[6,37,24] %v1 = add(%v0, %x2) : {0}[6,37,24] yield %v1 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,13], %w1: {0}[13,1000]) {{ %v0 = matmul(%x0, %w1) : "
                    "{0}[1,1000] yield %v0 }}",
                    dtype));
  }
  // more tiles than an H100 has multiprocessors: blocks that take one after the other
  for (const char* dtype : {"f16", "bf16"}) {
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,1153,72], %w1: {0}[72,1544], %w2: {0}[1544]) {{ %v0 = matmul(%x0, %w1) : "
        "{0}[2,1153,1544] %v1 = add(%v0, %w2) : {0}[2,1153,1544] %v2 = gelu(%v1) : {0}[2,1153,1544] yield "
        "%v2 }}",
        dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,2310,400], %w1: {0}[1596,400], %w2: {0}[1596], %x3: "
                    "{0}[1,2310,1596]) {{ %v0 = "
                    "matmul(%x0, %w1) {{transpose_b=true}} : {0}[1,2310,1596] %v1 = add(%v0, %w2) : "
                    "{0}[1,2310,1596] %v2 = "
                    "add(%x3, %v1) : {0}[1,2310,1596] yield %v2 }}",
                    dtype));
    // (of few steps of the inner dimension, which is no whole number of them, and with tiles for some blocks
    // only)
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,1811,1032], %w1: {0}[1032,1160], %w2: {0}[1160], %x3: "
                    "{0}[1,1811,1160]) {{ %v0 = matmul(%x0, %w1) : {0}[1,1811,1160] %v1 = add(%v0, %w2) : "
                    "{0}[1,1811,1160] %v2 = gelu(%v1) : {0}[1,1811,1160] %v3 = add(%x3, %v2) : "
                    "{0}[1,1811,1160] yield %v3 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[1,3100,328], %w1: {0}[328,424]) {{ %v0 = matmul(%x0, %w1) : {0}[1,3100,424] "
        "yield %v0 }}",
        dtype));
    texts.push_back(conv(dtype, 3, 136, 30, 31, 1400, 1, 1, 0, true));
    texts.push_back(conv(dtype, 5, 72, 61, 45, 200, 3, 1, 1, true));
    texts.push_back(conv(dtype, 4, 72, 91, 90, 264, 2, 2, 0, false));
  }
  texts.push_back(
      "graph problem(%x0: f16[2200,40], %w1: f16[40,1999]) { %v0 = matmul(%x0, %w1) : f16[2200,1999] yield "
      "%v0 }");
  texts.push_back(
      "graph problem(%x0: f16[2200,320], %w1: f16[320,2000]) { %v0 = matmul(%x0, %w1) : f16[2200,2000] %v1 = "
      "cast(%v0) "
      ": f32[2200,2000] yield %v1 }");
  // one row: heads, and the layers of a squeeze-and-excitation
  for (const char* dtype : {"f16", "f32"}) {
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,1154,1,1] nhwc, %w1: {0}[46,1154,1,1], %w2: {0}[46]) {{ %v0 = "
                    "conv(%x0, %w1, "
                    "%w2) : {0}[1,46,1,1] %v1 = silu(%v0) : {0}[1,46,1,1] nhwc yield %v1 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[1,5003], %w1: {0}[7,5003], %x2: {0}[1,7]) {{ %v0 = matmul(%x0, %w1) "
        "{{transpose_b=true}} : {0}[1,7] %v1 = add(%v0, %x2) : {0}[1,7] yield %v1 }}",
        dtype));
  }
  // the first of eight rows, taken in place
  texts.push_back(
      "graph problem(%x0: f16[3,8,64], %w1: f16[64,40]) { constant @c0: i64[] = {0} %v0 = gather(%x0, @c0) "
      "{axis=1} : "
      "f16[3,64] %v1 = matmul(%v0, %w1) : f16[3,40] yield %v1 }");
  // a scale of each image and channel, as squeeze-and-excitation has it
  texts.push_back(
      "graph problem(%x0: f16[2,32,6,5] nhwc, %w1: f16[48,32,1,1], %x2: f16[2,48,1,1] nhwc) { %v0 = "
      "conv(%x0, %w1) : f16[2,48,6,5] %v1 = mul(%v0, %x2) : f16[2,48,6,5] nhwc yield %v1 }");
}

namespace {

/// A 3x3 convolution with a pool of two by two behind it; with a residual, the sum is what is pooled.
std::string pooled_conv(const std::string& dtype, int n, int c, int h, int w, int filters, bool residual,
                        const char* out) {
  const std::string y = fmt::format("{}[{},{},{},{}]", dtype, n, filters, h, w);
  return fmt::format(
      "graph problem(%x0: {0}[{1},{2},{3},{4}] nhwc, %w1: {0}[{5},{2},3,3], %w2: {0}[{5}]{6}) {{ %v0 = "
      "conv(%x0, %w1, %w2) {{pads=[1,1,1,1]}} : {7} %v1 = {8} : {7} %v2 = max_pool(%v1) "
      "{{kernel_shape=[2,2], strides=[2,2]}} : {0}[{1},{5},{9},{10}]{11} yield %v2 }}",
      dtype, n, c, h, w, filters, residual ? ", %x3: " + y + " nhwc" : "", y,
      residual ? "sub(%v0, %x3)" : "relu(%v0)", h / 2, w / 2, out);
}

}  // namespace

void add_pooled(Texts& texts) {
  for (const char* dtype : {"f16", "bf16"}) {
    texts.push_back(pooled_conv(dtype, 2, 64, 28, 26, 136, false, " nhwc"));
    texts.push_back(pooled_conv(dtype, 3, 72, 14, 14, 40, true, " nhwc"));
    texts.push_back(pooled_conv(dtype, 2, 136, 6, 10, 72, true, ""));
    texts.push_back(pooled_conv(dtype, 1, 16, 2, 34, 20, false, ""));
  }
}

void add_pitched(Texts& texts) {
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    texts.push_back(conv(dtype, 1, 64, 9, 7, 72, 3, 1, 1, true, 1, " nhwc/96", " nhwc/200"));
    texts.push_back(conv(dtype, 2, 40, 11, 13, 24, 3, 2, 1, false, 1, " nhwc", " nhwc/56"));
    texts.push_back(conv(dtype, 1, 128, 7, 7, 200, 1, 1, 0, true, 1, " nhwc/160", " nhwc"));
    texts.push_back(conv(dtype, 3, 128, 5, 7, 40, 1, 1, 0, false, 1, " nhwc", " nhwc/48"));
    texts.push_back(
        conv(dtype, 2, 20, 6, 5, 12, 3, 1, 1, false, 1, " nhwc/27", " nhwc/13"));  // no whole vectors
    texts.push_back(conv(dtype, 2, 64, 8, 9, 64, 3, 1, 1, false, 4, " nhwc/72", " nhwc/80"));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,24,5,3] nhwc/40, %w1: {0}[24,1,1], %x2: {0}[2,24,5,3] nhwc) {{ "
                    "%v0 = mul(%x0, "
                    "%w1) : {0}[2,24,5,3] %v1 = add(%v0, %x2) : {0}[2,24,5,3] %v2 = relu(%v1) : "
                    "{0}[2,24,5,3] nhwc/32 yield "
                    "%v2 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,13,5,3] nhwc/15) {{ %v0 = relu(%x0) : {0}[2,13,5,3] nhwc/14 yield %v0 }}",
        dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,24,9,7] nhwc/40) {{ %v0 = max_pool(%x0) {{kernel_shape=[3,3], "
                    "strides=[2,2], "
                    "pads=[1,1,1,1]}} : {0}[2,24,5,4] nhwc/32 yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,24,9,7] nhwc) {{ %v0 = average_pool(%x0) {{kernel_shape=[2,2], "
                    "strides=[1,1]}} "
                    ": {0}[2,24,8,6] nhwc/28 yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,16,5,3] nhwc/48, %x1: {0}[2,32,5,3] nhwc, %x2: {0}[2,8,5,3] "
                    "nhwc/9) {{ %v0 = "
                    "concat(%x0, %x1, %x2) {{axis=1}} : {0}[2,56,5,3] nhwc/72 yield %v0 }}",
                    dtype));
  }
}

void add_prologues(Texts& texts) {
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,96,9,7] nhwc/160, %w1: {0}[1,96,1,1], %w2: {0}[1,96,1,1], %w3: "
                    "{0}[72,96,1,1], %w4: {0}[72]) {{ %v0 = mul(%x0, %w1) : {0}[1,96,9,7] %v1 = add(%v0, "
                    "%w2) : {0}[1,96,9,7] %v2 = relu(%v1) : {0}[1,96,9,7] %v3 = conv(%v2, %w3, %w4) : "
                    "{0}[1,72,9,7] %v4 = relu(%v3) : {0}[1,72,9,7] nhwc yield %v4 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,200,5,7] nhwc, %w1: {0}[200,1,1], %w2: {0}[200,1,1], %w3: "
                    "{0}[40,200,3,3]) {{ %v0 = mul(%x0, %w1) : {0}[2,200,5,7] %v1 = add(%v0, %w2) : "
                    "{0}[2,200,5,7] %v2 = relu(%v1) : {0}[2,200,5,7] %v3 = conv(%v2, %w3) "
                    "{{pads=[1,1,1,1], strides=[2,2]}} : {0}[2,40,3,4] nhwc/48 yield %v3 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[1,136,6,5] nhwc, %x1: {0}[1,136,1,1] nhwc, %w2: {0}[24,136,1,1], "
        "%w3: {0}[24], %x4: {0}[1,24,6,5] nhwc) {{ %v0 = mul(%x0, %x1) : {0}[1,136,6,5] %v1 = "
        "conv(%v0, %w2, %w3) : {0}[1,24,6,5] %v2 = add(%v1, %x4) : {0}[1,24,6,5] nhwc yield %v2 }}",
        dtype));
  }
}

}  // namespace burnish::cuda_tests
