#include "problems.h"

#include <fmt/format.h>

#include <cstdlib>
#include <regex>

#include "ir/attributes.h"
#include "problem_families.h"

namespace burnish::cuda_tests {
namespace {

void add_pointwise(Texts& texts) {
  for (const char* dtype : {"f32", "f16", "bf16", "f64"}) {
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[3,5,7], %x1: {0}[5,1]) {{ %v0 = add(%x0, %x1) : {0}[3,5,7] %v1 = "
                    "gelu(%v0) : {0}[3,5,7] %v2 = silu(%v1) : {0}[3,5,7] yield %v2 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,16,5,3] nhwc, %x1: {0}[2,16,1,1] nhwc, %w2: {0}[16,1,1]) {{ "
                    "%v0 = mul(%x0, %x1) : {0}[2,16,5,3] %v1 = sub(%v0, %w2) : {0}[2,16,5,3] %v2 = "
                    "hardswish(%v1) : {0}[2,16,5,3] nhwc yield %v2 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1001]) {{ %v0 = tanh(%x0) : {0}[1001] %v1 = leaky_relu(%v0) "
                    "{{alpha=0.2}} : {0}[1001] yield %v1 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,19,5,6]) {{ %v0 = reformat(%x0) : {0}[2,19,5,6] nhwc yield %v0 }}", dtype));
  }
}

void add_depthwise_and_pools(Texts& texts) {
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    for (int stride : {1, 2}) {
      const int h = (13 + 2 - 3) / stride + 1, w = (10 + 2 - 3) / stride + 1;
      texts.push_back(fmt::format(
          "graph problem(%x0: {0}[2,24,13,10] nhwc, %w1: {0}[24,1,3,3], %w2: {0}[24]) {{ %v0 = conv(%x0, "
          "%w1, %w2) {{strides=[{1},{1}], pads=[1,1,1,1], group=24}} : {0}[2,24,{2},{3}] "
          "%v1 = clip(%v0) {{min=0.0, max=6.0}} : {0}[2,24,{2},{3}] nhwc yield %v1 }}",
          dtype, stride, h, w));
    }
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,7,9,11] nhwc, %w1: {0}[7,1,5,5]) {{ %v0 = conv(%x0, %w1) "
                    "{{pads=[2,2,2,2], group=7}} : {0}[1,7,9,11] nhwc yield %v0 }}",
                    dtype));
    // windows, strides and dilations of tiles that the image and the channels do not fill
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,40,19,23] nhwc, %w1: {0}[40,1,7,7], %w2: {0}[40]) {{ %v0 = "
                    "conv(%x0, %w1, %w2) {{pads=[3,3,3,3], group=40}} : {0}[2,40,19,23] nhwc yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,72,17,15] nhwc, %w1: {0}[72,1,5,5], %x2: {0}[1,72,9,8] nhwc) "
                    "{{ %v0 = conv(%x0, "
                    "%w1) {{strides=[2,2], pads=[2,2,2,2], group=72}} : {0}[1,72,9,8] %v1 = add(%v0, %x2) : "
                    "{0}[1,72,9,8] "
                    "%v2 = silu(%v1) : {0}[1,72,9,8] nhwc yield %v2 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[3,24,12,9] nhwc, %w1: {0}[24,1,3,3]) {{ %v0 = conv(%x0, %w1) "
        "{{strides=[1,2], dilations=[2,3], pads=[1,3,2,0], group=24}} : {0}[3,24,11,3] nhwc yield %v0 }}",
        dtype));
    for (const char* layout : {" nhwc", ""}) {
      texts.push_back(
          fmt::format("graph problem(%x0: {0}[2,24,13,11]{1}) {{ %v0 = max_pool(%x0) {{kernel_shape=[3,3], "
                      "strides=[2,2], pads=[1,1,1,1]}} : {0}[2,24,7,6]{1} yield %v0 }}",
                      dtype, layout));
      texts.push_back(fmt::format(
          "graph problem(%x0: {0}[2,9,13,11]{1}) {{ %v0 = average_pool(%x0) {{kernel_shape=[3,3], "
          "pads=[1,1,1,1], count_include_pad=true}} : {0}[2,9,13,11]{1} yield %v0 }}",
          dtype, layout));
    }
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,20,13,11] nhwc) {{ %v0 = max_pool(%x0) {{kernel_shape=[3,2], "
                    "strides=[2,2]}} : {0}[2,20,6,5] yield %v0 }}",
                    dtype));
  }
}

void add_rows(Texts& texts) {
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[3,5,40]) {{ %v0 = softmax(%x0) : {0}[3,5,40] yield %v0 }}", dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[7,1003]) {{ %v0 = log_softmax(%x0) : {0}[7,1003] yield %v0 }}", dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[3,1,5]) {{ %v0 = log_softmax(%x0) : {0}[3,1,5] yield %v0 }}", dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,9,768], %w1: {0}[768], %w2: {0}[768], %x3: {0}[2,9,768]) {{ %v0 = "
        "layer_norm(%x0, %w1, %w2) : {0}[2,9,768] %v1 = add(%v0, %x3) : {0}[2,9,768] yield %v1 }}",
        dtype));
    // an embedding: rows of two tables and a row for all, added and normalised
    texts.push_back(fmt::format(
        "graph problem(%w0: {0}[50,72], %x1: i64[2,7], %w2: {0}[1,7,72], %w3: {0}[72], %w4: {0}[72]) {{ %v0 "
        "= "
        "gather(%w0, %x1) : {0}[2,7,72] %v1 = add(%v0, %w2) : {0}[2,7,72] %v2 = layer_norm(%v1, %w3, %w4) : "
        "{0}[2,7,72] yield %v2 }}",
        dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,3,5,21], %x1: {0}[2,3,5,1], %x2: {0}[2,3,5,21]) {{ %v0 = mul(%x0, %x1) : "
        "{0}[2,3,5,21] %v1 = sub(%v0, %x2) : {0}[2,3,5,21] %v2 = softmax(%v1) : {0}[2,3,5,21] yield %v2 }}",
        dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[4,9001], %w1: {0}[9001]) {{ %v0 = rms_norm(%x0, %w1) : "
                    "{0}[4,9001] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,40,7,5] nhwc) {{ %v0 = reduce_mean(%x0) {{axes=[2,3]}} : "
                    "{0}[2,40,1,1] nhwc yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,41,7,5]) {{ %v0 = reduce_mean(%x0) {{axes=[2,3], "
                    "keepdims=false}} : {0}[2,41] yield %v0 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[6,300]) {{ %v0 = reduce_max(%x0) {{axes=[1]}} : {0}[6,1] yield %v0 }}",
        dtype));
    // columns and rows long enough that blocks of a cluster share them, of widths that vectors do and do not
    // divide
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,240,17,16] nhwc) {{ %v0 = reduce_mean(%x0) {{axes=[2,3]}} : "
                    "{0}[2,240,1,1] nhwc yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[3,37,19,13] nhwc) {{ %v0 = reduce_sum(%x0) {{axes=[2,3]}} : "
                    "{0}[3,37,1,1] nhwc yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,300,5,7]) {{ %v0 = reduce_min(%x0) {{axes=[1]}} : {0}[2,1,5,7] "
                    "yield %v0 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[61,4,3]) {{ %v0 = reduce_l2(%x0) {{axes=[1]}} : {0}[61,1,3] yield %v0 }}",
        dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[33,2056]) {{ %v0 = reduce_l1(%x0) {{axes=[1]}} : {0}[33,1] yield %v0 }}",
        dtype));
  }
}

void add_moves(Texts& texts) {
  // moves from one tensor that are one copy: a roll along two axes with the partition into windows, and
  // places that no vector keeps
  for (const char* dtype : {"f16", "f32", "i8"}) {
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,6,8,40]) {{ constant @c0: i64[1] = {{0}} constant @c1: i64[1] = {{1}} "
        "constant @c2: "
        "i64[1] = {{2}} constant @c3: i64[1] = {{3}} constant @c6: i64[1] = {{6}} constant @c8: i64[1] = "
        "{{8}} constant "
        "@c9: i64[6] = {{2, 3, 2, 2, 4, 40}} %v0 = slice(%x0, @c1, @c6, @c1) : {0}[2,5,8,40] %v1 = "
        "slice(%x0, @c0, @c1, "
        "@c1) : {0}[2,1,8,40] %v2 = concat(%v0, %v1) {{axis=1}} : {0}[2,6,8,40] %v3 = slice(%v2, @c3, @c8, "
        "@c2) : "
        "{0}[2,6,5,40] %v4 = slice(%v2, @c0, @c3, @c2) : {0}[2,6,3,40] %v5 = concat(%v3, %v4) {{axis=2}} : "
        "{0}[2,6,8,40] %v6 = reshape(%v5, @c9) : {0}[2,3,2,2,4,40] %v7 = transpose(%v6) "
        "{{perm=[0,1,3,2,4,5]}} : "
        "{0}[2,3,2,2,4,40] yield %v7 }}",
        dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,5,7,6]) {{ constant @c1: i64[2] = {{1, 0}} constant @c2: "
                    "i64[2] = {{5, 6}} constant @c3: "
                    "i64[2] = {{2, 3}} constant @c4: i64[1] = {{-1}} constant @c5: i64[1] = {{-9}} constant "
                    "@c6: i64[1] = {{1}} %v0 = "
                    "slice(%x0, @c1, @c2, @c3) : {0}[2,5,4,6] %v1 = transpose(%v0) {{perm=[2,0,3,1]}} : "
                    "{0}[4,2,6,5] %v2 = slice(%v1, "
                    "@c4, @c5, @c6, @c4) : {0}[4,2,6,5] %v3, %v4 = split(%v1) {{axis=2}} : {0}[4,2,3,5], "
                    "{0}[4,2,3,5] %v5 = "
                    "concat(%v4, %v2, %v3) {{axis=2}} : {0}[4,2,12,5] yield %v5 }}",
                    dtype));
  }
  for (const char* dtype : {"f16", "f32"}) {
    texts.push_back(fmt::format(
        "graph problem(%w0: {0}[11,24], %x1: i64[2,5]) {{ %v0 = gather(%w0, %x1) : {0}[2,5,24] yield %v0 }}",
        dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[3,4,5,7]) {{ constant @c0: i64[] = {{-2}} %v0 = gather(%x0, @c0) "
                    "{{axis=2}} : {0}[3,4,7] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,5,3,8]) {{ %v0 = transpose(%x0) {{perm=[0,2,1,3]}} : "
                    "{0}[2,3,5,8] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,5,3,7]) {{ %v0 = transpose(%x0) {{perm=[0,2,3,1]}} : "
                    "{0}[2,3,7,5] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,16,3,5] nhwc, %x1: {0}[2,8,3,5] nhwc) {{ %v0 = concat(%x0, "
                    "%x1) {{axis=1}} : {0}[2,24,3,5] nhwc yield %v0 }}",
                    dtype));
    // a class token and positions, of which every image has the same
    texts.push_back(
        fmt::format("graph problem(%w0: {0}[3,1,24], %x1: {0}[3,6,24], %w2: {0}[1,7,24]) {{ %v0 = "
                    "concat(%w0, %x1) {{axis=1}} : {0}[3,7,24] "
                    "%v1 = add(%v0, %w2) : {0}[3,7,24] yield %v1 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,5,3], %x1: {0}[2,4,3]) {{ %v0 = concat(%x0, %x1) {{axis=1}} : "
                    "{0}[2,9,3] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,16,3,5] nhwc, %x1: {0}[2,8,3,5] nhwc, %x2: {0}[2,32,3,5] nhwc, "
                    "%w3: {0}[56,1,1], %w4: "
                    "{0}[1,56,1,1]) {{ %v0 = concat(%x0, %x1, %x2) {{axis=1}} : {0}[2,56,3,5] %v1 = mul(%v0, "
                    "%w3) : {0}[2,56,3,5] "
                    "%v2 = add(%v1, %w4) : {0}[2,56,3,5] %v3 = relu(%v2) : {0}[2,56,3,5] nhwc yield %v3 }}",
                    dtype));
  }
}

/// Attention over dense operands: `mask` is the text of its type, or empty.
std::string attention(const std::string& dtype, int batch, int heads, int key_heads, int queries, int keys,
                      int depth, int depth_v, const std::string& mask, const std::string& attributes,
                      bool weight = false) {
  std::string text = fmt::format(
      "graph problem(%x0: {0}[{1},{2},{3},{4}], %x1: {0}[{1},{5},{6},{4}], %x2: "
      "{0}[{1},{5},{6},{7}]",
      dtype, batch, heads, queries, depth, key_heads, keys, depth_v);
  const std::string name = weight ? "%w3" : "%x3";
  if (!mask.empty()) text += fmt::format(", {}: {}", name, mask);
  return text + fmt::format(") {{ %v0 = attention(%x0, %x1, %x2{}) {{{}}} : {}[{},{},{},{}] yield %v0 }}",
                            mask.empty() ? "" : ", " + name, attributes, dtype, batch, heads, queries,
                            depth_v);
}

void add_attention(Texts& texts) {
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    texts.push_back(attention(dtype, 2, 3, 3, 37, 45, 64, 64, "bool[2,1,1,45]", "scale=0.125"));
    texts.push_back(attention(dtype, 1, 4, 2, 19, 150, 32, 40, "", "causal=\"bottom_right\""));
    texts.push_back(attention(dtype, 3, 2, 1, 49, 49, 32, 32, fmt::format("{}[1,2,49,49]", dtype), "", true));
    texts.push_back(
        attention(dtype, 1, 2, 2, 70, 33, 20, 13, "bool[70,33]", "causal=\"top_left\", softcap=2.5"));
    texts.push_back(
        attention(dtype, 1, 1, 1, 5, 300, 128, 96, fmt::format("{}[1,1,5,300]", dtype), "scale=0.2"));
    // tiles of queries and heads that warpgroup products do and do not fill, their masks and parts of 64
    // columns
    texts.push_back(attention(dtype, 2, 3, 3, 197, 197, 64, 64, "", "scale=0.125"));
    texts.push_back(
        attention(dtype, 1, 4, 2, 130, 241, 128, 96, "bool[1,1,130,241]", "causal=\"bottom_right\""));
    texts.push_back(
        attention(dtype, 2, 2, 2, 65, 17, 48, 32, fmt::format("{}[2,1,1,17]", dtype), "softcap=3.0"));
    // several steps of keys, some of which a tile does not see, and queries that see none
    texts.push_back(attention(dtype, 1, 2, 1, 200, 200, 64, 64, "", "causal=\"top_left\""));
    texts.push_back(attention(dtype, 1, 2, 2, 150, 70, 64, 32, "", "causal=\"bottom_right\""));
    texts.push_back(attention(dtype, 2, 1, 1, 70, 300, 64, 64, "bool[2,1,1,300]", "scale=0.125"));
    // packed by one product, read and written in place
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[2,21,144]) {{ constant @c1: i64[3] = {{48, 48, 48}} "
        "constant @c2: i64[4] = {{2, 21, 3, 16}} %v0, %v1, %v2 = split(%x0, @c1) {{axis=2}} : "
        "{0}[2,21,48], "
        "{0}[2,21,48], {0}[2,21,48] %v3 = reshape(%v0, @c2) : {0}[2,21,3,16] %v4 = transpose(%v3) "
        "{{perm=[0,2,1,3]}} : {0}[2,3,21,16] %v5 = reshape(%v1, @c2) : {0}[2,21,3,16] %v6 = transpose(%v5) "
        "{{perm=[0,2,1,3]}} : {0}[2,3,21,16] %v7 = reshape(%v2, @c2) : {0}[2,21,3,16] %v8 = transpose(%v7) "
        "{{perm=[0,2,1,3]}} : {0}[2,3,21,16] %v9 = attention(%v4, %v6, %v8) : {0}[2,3,21,16] %v10 = "
        "transpose(%v9) {{perm=[0,2,1,3]}} : {0}[2,21,3,16] yield %v10 }}",
        dtype));
  }
}

/// One op of one operand, on plain tensors and, for images, on nhwc too.
void add_op(Texts& texts, const std::string& x, const std::string& op, const std::string& y,
            const std::string& constants = "", const std::string& operands = "%x0", bool images = false) {
  for (const char* dtype : {"f32", "f16"})
    for (const char* layout : {"", " nhwc"}) {
      if ((*layout && !images) || (images && (std::string(dtype) == "f16") != (*layout != 0))) continue;
      texts.push_back(
          fmt::format("graph problem(%x0: {0}[{1}]{5}) {{ {4}%v0 = {2} : {0}[{3}]{5} yield %v0 }}", dtype, x,
                      fmt::format(fmt::runtime(op), operands), y, constants, layout));
    }
}

void add_elements(Texts& texts) {
  const std::string pads = "constant @c1: i64[8] = {0, 1, 2, 0, 0, 0, 1, 3} ";
  for (const char* mode : {"constant", "edge", "reflect", "wrap"})
    add_op(texts, "2,3,5,4", fmt::format("pad({{}}) {{{{mode=\"{}\"}}}}", mode), "2,4,8,7", pads, "%x0, @c1",
           true);
  add_op(texts, "2,12,3,5", "depth_to_space({}) {{blocksize=2}}", "2,3,6,10", "", "%x0", true);
  add_op(texts, "2,12,3,5", "depth_to_space({}) {{blocksize=2, mode=\"CRD\"}}", "2,3,6,10", "", "%x0", true);
  add_op(texts, "2,3,6,10", "space_to_depth({}) {{blocksize=2}}", "2,12,3,5", "", "%x0", true);
  add_op(texts, "5,7", "trilu({}) {{upper=false}}", "5,7", "constant @c1: i64[] = {2} ", "%x0, @c1");
  add_op(texts, "3,5", "tile({})", "6,15", "constant @c1: i64[2] = {2, 3} ", "%x0, @c1");
  add_op(texts, "3,11,4", "cumsum({}) {{reverse=true}}", "3,11,4", "constant @c1: i64[] = {1} ", "%x0, @c1");
  add_op(texts, "3,11,4", "cumprod({}) {{exclusive=true}}", "3,11,4", "constant @c1: i64[] = {1} ",
         "%x0, @c1");
  add_op(texts, "5,3,11", "softmax({}) {{axis=1}}", "5,3,11");
  add_op(texts, "5,3,11", "log_softmax({}) {{axis=0}}", "5,3,11");
  add_op(texts, "5,13,3", "hardmax({}) {{axis=1}}", "5,13,3");
  add_op(texts, "2,7,5,3", "lrn({}) {{size=3}}", "2,7,5,3", "", "%x0", true);
  for (const char* kind : {"sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum_exp"})
    add_op(texts, "3,4,5,6", fmt::format("reduce_{}({{}}) {{{{axes=[0,2]}}}}", kind), "1,4,1,6");
  for (const char* kind : {"max_pool", "average_pool", "lp_pool"}) {
    add_op(texts, "1,3,7,6,5",
           fmt::format("{}({{}}) {{{{kernel_shape=[3,2,2], strides=[2,1,2], pads=[1,0,1,1,0,0]}}}}", kind),
           "1,3,4,5,3", "", "%x0", true);
    add_op(texts, "2,3,9", fmt::format("{}({{}}) {{{{kernel_shape=[4], strides=[2]}}}}", kind), "2,3,3");
  }
}

void add_resizes(Texts& texts) {
  for (const char* layout : {"", " nhwc"})
    for (const char* dtype : {*layout ? "f16" : "f32"})
      for (const char* how :
           {"mode=\"nearest\"", "mode=\"linear\"", "mode=\"cubic\"",
            "mode=\"linear\", coordinate_transformation_mode=\"align_corners\"",
            "mode=\"cubic\", exclude_outside=true", "mode=\"linear\", antialias=true",
            "mode=\"nearest\", coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\""})
        for (const char* size : {"11, 9", "4, 3"})
          texts.push_back(
              fmt::format("graph problem(%x0: {0}[2,3,7,5]{1}) {{ constant @c1: i64[4] = {{2, 3, {3}}} %v0 = "
                          "resize(%x0, _, _, @c1) {{{2}}} : {0}[2,3,{3}]{1} yield %v0 }}",
                          dtype, layout, how, size));
  // each pixel a whole number of times; with what is beside and behind, and parts of a longer pixel
  for (const char* dtype : {"f16", "f32"})
    for (const char* layout : {"", " nhwc"})
      for (const char* how : {"coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"",
                              "coordinate_transformation_mode=\"half_pixel\""})
        for (int channels : {8, 6}) {
          const std::string y = fmt::format("{}[2,{},10,21]", dtype, channels);
          const std::string resized = fmt::format(
              "constant @r: f32[0] = {{}} constant @s: f32[4] = {{1, 1, 2, 3}} %v1 = resize(%x0, @r, @s) "
              "{{{}}} : {}",
              how, y);
          texts.push_back(fmt::format("graph problem(%x0: {}[2,{},5,7]{}) {{ {}{} yield %v1 }}", dtype,
                                      channels, layout, resized, layout));
          texts.push_back(
              fmt::format("graph problem(%x0: {0}[2,{1},5,7]{2}, %x1: {3}{2}, %x2: {0}[2,{1},1,1]{2}) {{ %v0 "
                          "= mul(%x1, %x2) : {3} {4} "
                          "%v2 = add(%v0, %v1) : {3} %v3 = relu(%v2) : {3}{2} yield %v3 }}",
                          dtype, channels, layout, y, resized));
        }
  texts.push_back(
      "graph problem(%x0: f16[1,24,5,7] nhwc) { constant @s: i64[4] = {1, 24, 20, 28} %v0 = resize(%x0, _, "
      "_, @s) "
      "{coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"} : f16[1,24,20,28] nhwc/96 "
      "yield %v0 }");
}

/// What tensor cores do not take: three dimensions, odd groups, doubles, weights that are computed, vectors.
void add_definitions(Texts& texts) {
  for (const char* dtype : {"f32", "f64", "f16"}) {
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[1,4,5,6,7], %w1: {0}[6,2,3,2,3], %w2: {0}[6]) {{ %v0 = conv(%x0, "
                    "%w1, %w2) {{group=2, pads=[1,0,1,1,0,1]}} : "
                    "{0}[1,6,5,5,7] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,6,5,7], %x1: {0}[4,6,3,3]) {{ %v0 = conv(%x0, %x1) "
                    "{{strides=[2,1], dilations=[1,2]}} : {0}[2,4,2,3] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,6,5,7]) {{ %v0 = reduce_sum(%x0) {{axes=[0,3], "
                    "keepdims=false}} : {0}[6,5] yield %v0 }}",
                    dtype));
    for (const char* layout : {"", " nhwc"})
      texts.push_back(
          fmt::format("graph problem(%x0: {0}[2,6,5,7]{1}, %w1: {0}[6,4,3,3], %w2: {0}[8]) {{ %v0 = "
                      "conv_transpose(%x0, %w1, %w2) {{strides=[2,3], pads=[1,0,1,2], "
                      "output_padding=[1,0], group=2}} : {0}[2,8,10,19]{1} yield %v0 }}",
                      dtype, layout));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[3,1,4,5], %x1: {0}[2,5,6]) {{ %v0 = matmul(%x0, %x1) : "
                    "{0}[3,2,4,6] yield %v0 }}",
                    dtype));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[7], %x1: {0}[2,7,6]) {{ %v0 = matmul(%x0, %x1) : {0}[2,6] yield %v0 }}",
        dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,5,7], %w1: {0}[5,7], %w2: {0}[5,7]) {{ %v0, %v1, %v2 = "
                    "layer_norm(%x0, %w1, %w2) {{axis=1}} : "
                    "{0}[2,5,7], {1}[2,1,1], {1}[2,1,1] yield %v0, %v1, %v2 }}",
                    dtype, std::string(dtype) == "f64" ? "f64" : "f32"));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,6,5,7], %w1: {0}[6], %w2: {0}[6]) {{ %v0 = instance_norm(%x0, "
                    "%w1, %w2) : {0}[2,6,5,7] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,6,5,7], %w1: {0}[6], %w2: {0}[6]) {{ %v0 = group_norm(%x0, "
                    "%w1, %w2) {{num_groups=3}} : {0}[2,6,5,7] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,3,7,5], %x1: {0}[2,4,6,2]) {{ %v0 = grid_sample(%x0, %x1) "
                    "{{mode=\"cubic\", padding_mode=\"reflection\"}} : {0}[2,3,4,6] yield %v0 }}",
                    dtype));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,3,7,5], %x1: {0}[2,4,6,2]) {{ %v0 = grid_sample(%x0, %x1) "
                    "{{padding_mode=\"border\", align_corners=true}} : {0}[2,3,4,6] yield %v0 }}",
                    dtype));
  }
  texts.push_back(
      "graph problem(%x0: f32[2,5,7]) { %v0 = cast(%x0) {to=f8e4m3} : f8e4m3[2,5,7] %v1 = cast(%v0) : "
      "f32[2,5,7] yield %v1 }");
  texts.push_back(
      "graph problem(%x0: f32[2,5,7]) { %v0 = cast(%x0) {to=f8e5m2} : f8e5m2[2,5,7] %v1 = cast(%v0) : "
      "f32[2,5,7] yield %v1 }");
}

const char* const swish_text = R"(constexpr float beta = 0x1.8p+0f;
#line 1
#define HALF 0.5f
// x times a sigmoid, and half of y
static __device__ float gate(float x) { return 1 / (1 + expf(-beta * x)); }
__device__ float swish(float x, float y) { return x * gate(x) + HALF * y; }
#undef HALF)";

const char* const row_sums_text = R"(template <class T>
__device__ void row_sums(burnish::Tensor<const T, 3> x, burnish::Tensor<const T, 1> w, burnish::Tensor<T, 2> y, burnish::Tensor<T, 3> products) {
  __shared__ float sum;
  const int length = x.size(2);
  for (int row = blockIdx.x; row < y.count(); row += gridDim.x) {
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
      const float product = burnish::widen(x.data[row * length + i]) * burnish::widen(w.data[i]);
      products.data[row * length + i] = burnish::narrow<T>(product);
      atomicAdd(&sum, product);
    }
    __syncthreads();
    if (threadIdx.x == 0) y.data[row] = burnish::narrow<T>(sum);
    __syncthreads();
  }
})";

/// A user's pointwise op of tensors `x` and `y` of `type`.
std::string user_swish(const std::string& x, const std::string& y, const std::string& type) {
  return fmt::format(
      "user_pointwise({0}, {1}) {{name=\"swish\", cuda={2}}} body (%x: {3}, %y: {3}) {{ constant @b: {4}[] = "
      "{{1.5}} "
      "constant @h: {4}[] = {{0.5}} %v0 = mul(%x, @b) : {3} %v1 = sigmoid(%v0) : {3} %v2 = mul(%x, %v1) : "
      "{3} "
      "%v3 = mul(%y, @h) : {3} %v4 = add(%v2, %v3) : {3} yield %v4 }} : {3}",
      x, y, ir::quoted(swish_text), type, type.substr(0, type.find('[')));
}

/// Ops of the user's own, alone and behind the anchors whose kernels take pointwise bodies.
void add_user_ops(Texts& texts) {
  for (const std::string dtype : {"f32", "f16", "bf16"}) {
    const auto type = [&](const char* shape) { return dtype + shape; };
    texts.push_back(
        fmt::format("graph problem(%x0: {0}, %x1: {0}) {{ %v0 = {1} %v1 = relu(%v0) : {0} yield %v1 }}",
                    type("[3,5,7]"), user_swish("%x0", "%x1", type("[3,5,7]"))));
    // twice in one kernel
    texts.push_back(fmt::format("graph problem(%x0: {0}) {{ %v0 = {1} %v1 = {2} yield %v1 }}", type("[1001]"),
                                user_swish("%x0", "%x0", type("[1001]")),
                                user_swish("%v0", "%x0", type("[1001]"))));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}[2,33,96], %w1: {0}[96,136], %w2: {1}) {{ %v0 = matmul(%x0, %w1) "
                    ": {1} %v1 = {2} "
                    "yield %v1 }}",
                    dtype, type("[2,33,136]"), user_swish("%v0", "%w2", type("[2,33,136]"))));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[1,64,9,7] nhwc, %w1: {0}[72,64,3,3], %x2: {1} nhwc) {{ %v0 = conv(%x0, %w1) "
        "{{pads=[1,1,1,1]}} : {1} %v1 = {2} nhwc yield %v1 }}",
        dtype, type("[1,72,9,7]"), user_swish("%v0", "%x2", type("[1,72,9,7]"))));
    texts.push_back(
        fmt::format("graph problem(%x0: {0}, %x1: {0}) {{ %v0 = softmax(%x0) : {0} %v1 = {1} yield %v1 }}",
                    type("[3,5,40]"), user_swish("%v0", "%x1", type("[3,5,40]"))));
    texts.push_back(fmt::format(
        "graph problem(%x0: {0}[3,37,41], %x1: {0}[41]) {{ %v0, %v1 = user_kernel(%x0, %x1) "
        "{{name=\"row_sums\", "
        "threads=96, cuda={1}}} body (%x: {0}[3,37,41], %w: {0}[41]) {{ constant @a: i64[1] = {{-1}} %p = "
        "mul(%x, %w) : {0}[3,37,41] %s = reduce_sum(%p, @a) {{keepdims=false}} : {0}[3,37] yield %s, %p }} : "
        "{0}[3,37], {0}[3,37,41] yield %v0, %v1 }}",
        dtype, ir::quoted(row_sums_text)));
  }
}

/// Whether the regular expression in an environment variable, if there is one, finds something in the text.
bool named(const char* variable, const std::string& text) {
  const char* const expression = std::getenv(variable);
  return !expression || std::regex_search(text, std::regex(expression));
}

}  // namespace

const Texts& small_problems() {
  static const Texts texts = [] {
    Texts made;
    add_contractions(made);
    add_pooled(made);
    add_pointwise(made);
    add_depthwise_and_pools(made);
    add_rows(made);
    add_moves(made);
    add_attention(made);
    add_elements(made);
    add_resizes(made);
    add_definitions(made);
    add_user_ops(made);
    add_pitched(made);
    add_prologues(made);
    std::erase_if(made, [](const std::string& text) { return !named("BURNISH_TEST_PROBLEM", text); });
    return made;
  }();
  return texts;
}

bool wanted(const std::string& tactic) { return named("BURNISH_TEST_TACTIC", tactic); }

bool hopper_alone(const std::string& problem) {
  return problem.find("conv(") != std::string::npos && problem.find("max_pool(") != std::string::npos;
}

Texts share_of_problems(size_t share) {
  Texts texts;
  for (size_t i = share; i < small_problems().size(); i += shares) texts.push_back(small_problems()[i]);
  return texts;
}

}  // namespace burnish::cuda_tests
