#include "cuda/contraction.h"

#include <algorithm>

#include "ops/contraction.h"
#include "ops/pool.h"
#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

std::vector<Dim> slice(const std::vector<Dim>& dims, size_t first, size_t last) {
  return {dims.begin() + static_cast<std::ptrdiff_t>(first),
          dims.begin() + static_cast<std::ptrdiff_t>(last)};
}

/// The window of a convolution whose input may be symbolic; "SAME" pads need numbers.
std::optional<ops::Window> window_of(const ops::ConvAttributes& attributes, const ir::TensorType& x,
                                     const std::vector<int64_t>& weights) {
  std::vector<int64_t> kernel(weights.begin() + 2, weights.end()), input;
  for (size_t d = 2; d < x.shape.size(); ++d) {
    if (!x.shape[d].is_constant() && attributes.auto_pad.starts_with("SAME")) return std::nullopt;
    input.push_back(x.shape[d].is_constant() ? x.shape[d].constant() : 1 << 20);
  }
  return ops::resolve_window(attributes, kernel, input);
}

Support analyse_conv(const Problem& problem, const ir::Node& node, Contraction& into) {
  const auto& attributes = node.attributes.as<ops::ConvAttributes>();
  if (!problem.is_weight(into.right)) return Support::no("a convolution whose weights are computed");
  const ir::TensorType &x = problem.input(into.left), &w = problem.input(into.right);
  const ir::TensorType& y = problem.body().value(node.outputs[0]).type;
  const auto weights = ir::constants(w.shape);
  if (!weights || (x.rank() != 3 && x.rank() != 4)) return Support::no("a convolution of rank {}", x.rank());
  const auto window = window_of(attributes, x, *weights);
  if (!window) return Support::no("pads that depend on the input's size");
  into.conv = true;
  into.groups = attributes.group;
  if ((*weights)[0] % into.groups) return Support::no("groups of unequal size");
  const size_t spatial = window->rank();
  for (size_t d = 0; d < spatial; ++d) {
    const size_t at = d + 2 - spatial;  // one dimension is a row of pixels
    into.kernel[at] = window->kernel[d];
    into.strides[at] = window->strides[d];
    into.dilations[at] = window->dilations[d];
    into.pads[at] = window->pads_begin[d];
    into.pads_end[at] = window->pads_end[d];
  }
  const Strides strides = logical_strides(x);
  into.images = x.shape[0];
  into.channels = (*weights)[1];
  into.width = x.shape.back();
  into.out_width = y.shape.back();
  if (spatial == 2) {
    into.height = x.shape[2];
    into.out_height = y.shape[2];
    into.left_h = strides[2];
  }
  into.left_image = strides[0];
  into.left_c = strides[1];
  into.left_w = strides.back();
  into.batch = into.groups;
  into.rows = into.out_height * into.out_width;
  into.total_rows = into.images * into.rows;
  into.columns = (*weights)[0] / into.groups;
  into.inner = into.channels * into.kernel[0] * into.kernel[1];
  into.tap_h = into.left_h * into.dilations[0];
  into.tap_w = into.left_w * into.dilations[1];
  into.weight_channels = (*weights)[1];
  into.weight_positions = into.kernel[0] * into.kernel[1];
  return Support::yes();
}

Support analyse_matmul(const Problem& problem, const ir::Node& node, Contraction& into) {
  const auto& attributes = node.attributes.as<ops::MatMulAttributes>();
  const ops::StridedSource source = ops::strided_source(problem.body(), node.inputs[0]);
  ir::TensorType a = problem.body().value(node.inputs[0]).type;
  a.layout = problem.input(into.left).layout;
  const ir::TensorType& b = problem.input(into.right);
  if (a.rank() < 2 || b.rank() < 2) return Support::no("a product with a vector");
  if (a.layout != ir::Layout::plain || b.layout != ir::Layout::plain)
    return Support::no("a product of {}", a.str());
  const size_t ra = a.shape.size(), rb = b.shape.size();
  const Dim a_rows = a.shape[ra - 2], a_columns = a.shape[ra - 1], b_rows = b.shape[rb - 2],
            b_columns = b.shape[rb - 1];
  into.rows = attributes.transpose_a ? a_columns : a_rows;
  into.inner = attributes.transpose_a ? a_rows : a_columns;
  into.columns = attributes.transpose_b ? b_rows : b_columns;
  into.left_h = attributes.transpose_a ? Dim(1) : a_columns;
  into.left_c = attributes.transpose_a ? a_columns : Dim(1);
  if (!source.moves.empty()) {  // as they lie in what was transposed, split, ...
    if (attributes.transpose_a || !source.offset.is_constant())
      return Support::no("a left operand whose place is not known at build");
    const auto joint = joint_stride(source.strides, a.shape, 0, ra - 1);
    const bool one_matrix = problem.input(into.right).rank() == 2;
    if (!joint || !one_matrix) return Support::no("rows that do not follow each other");
    if (!ir::product(slice(a.shape, 0, ra - 1)).is(1)) into.left_h = *joint;
    if (!into.inner.is(1)) into.left_c = source.strides.back();
    into.left_offset = source.offset.constant();
  }
  into.right_n = attributes.transpose_b ? b_columns : Dim(1);
  into.right_k = attributes.transpose_b ? Dim(1) : b_columns;
  const std::vector<Dim>& y = problem.body().value(node.outputs[0]).type.shape;
  const std::vector<Dim> batch = slice(y, 0, y.size() - 2), b_batch = slice(b.shape, 0, rb - 2),
                         a_batch = slice(a.shape, 0, ra - 2);
  into.batch = ir::product(batch);
  into.total_rows = into.rows;
  if (ir::product(b_batch).is(1) && ra >= rb &&
      !attributes.transpose_a) {  // one matrix for all: the batch joins the rows
    into.total_rows = into.batch * into.rows;
    into.batch = 1;
    return Support::yes();
  }
  if (problem.is_weight(into.right) && !ir::product(b_batch).is(1))
    return Support::no("a stack of weight matrices");
  // A strided batch: each operand runs through all of it or stays.
  const auto stride = [&](const std::vector<Dim>& own, const Dim& matrix) -> std::optional<Dim> {
    if (ir::product(own).is(1)) return Dim(0);
    std::vector<Dim> padded(batch.size() - own.size(), Dim(1));
    padded.insert(padded.end(), own.begin(), own.end());
    return padded == batch ? std::optional<Dim>(matrix) : std::nullopt;
  };
  const auto a_stride = stride(a_batch, a_rows * a_columns), b_stride = stride(b_batch, b_rows * b_columns);
  if (!a_stride || !b_stride) return Support::no("batches that are repeated in part");
  into.left_batch = *a_stride;
  into.right_batch = *b_stride;
  return Support::yes();
}

}  // namespace

Contraction Contraction::by_runs() const {
  Contraction runs = *this;
  const bool channels_last = left_c.is(1) && left_w == channels, planes = left_w.is(1);
  if (!conv || groups > 1 || pads[0] || pads[1] || pads_end[0] || pads_end[1] || dilations[1] != 1 ||
      !channels.is_constant() || (!channels_last && !planes))
    return runs;
  // No window reaches beyond the input, so that only its own place need be inside.
  runs.height = out_height;
  runs.width = out_width;
  runs.left_h = left_h * strides[0];
  runs.left_w = left_w * strides[1];
  for (int d : {0, 1}) {
    runs.strides[d] = 1;
    runs.dilations[d] = 0;
  }
  if (channels_last) {
    runs.channels = channels * kernel[1];
    runs.kernel[1] = 1;
    runs.tap_w = 0;
  } else {
    runs.channels = kernel[1];
    runs.kernel[0] = channels.constant();
    runs.kernel[1] = kernel[0];
    runs.left_c = 1;
    runs.tap_w = tap_h;
    runs.tap_h = left_c;
    runs.weight_channels = runs.weight_positions = 1;
  }
  return runs;
}

namespace {

/// The input of the problem that pointwise ops make a convolution's left operand of; -1 if that is not one.
int source_of_prologue(const Problem& problem, size_t conv) {
  const ir::TensorType& made = problem.body().value(problem.node(conv).inputs[0]).type;
  int source = -1;
  for (size_t i = 0; i < conv; ++i)
    for (ir::ValueId value : problem.node(i).inputs) {
      const int input = problem.input_index(value);
      if (input < 0 || problem.is_weight(input) || input == source) continue;
      if (problem.input(input).shape != made.shape || problem.input(input).dtype != made.dtype) continue;
      if (source >= 0) return -1;
      source = input;
    }
  return source;
}

}  // namespace

Support Contraction::analyse(const Problem& problem, Contraction& into, bool prologue) {
  bool found = false;
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    if (problem.op(i).fusion != ops::Fusion::contraction) continue;
    if (found) return Support::no("several contractions");
    found = true;
    into.node = i;
  }
  if (!found) return Support::no("no contraction");
  const ir::Node& node = problem.node(into.node);
  const bool transposed = node.op == &ops::def::conv_transpose;
  const bool conv = node.op == &ops::def::conv || transposed;
  if (!conv && node.op != &ops::def::matmul) return Support::no("{} has no such kernel", node.op->name);
  const ops::StridedSource left = ops::strided_source(problem.body(), node.inputs[0]);
  if (conv ? into.node > 0 && !prologue : left.moves.size() != into.node)
    return Support::no("ops before the contraction");
  into.left =
      conv && into.node > 0 ? source_of_prologue(problem, into.node) : problem.input_index(left.source);
  into.right = problem.input_index(node.inputs[1]);
  if (into.left < 0 || into.right < 0) return Support::no("an operand is made inside the region");
  if (conv && node.inputs.size() > 2 && node.inputs[2]) {
    into.bias = problem.input_index(node.inputs[2]);
    if (into.bias < 0) return Support::no("the bias is made inside the region");
  }
  into.dtype = problem.input(into.left).dtype;
  into.output = node.outputs[0];
  if (transposed) return analyse_transposed(problem, node, into);
  return conv ? analyse_conv(problem, node, into) : analyse_matmul(problem, node, into);
}

void Contraction::take_pool(const Problem& problem) {
  if (phases) return;
  const ir::Node& node = problem.node(problem.nodes().size() - 1);
  if (node.op != &ops::def::max_pool || node.outputs.size() != 1 || problem.output_count() != 1) return;
  const ir::Graph& body = problem.body();
  if (body.outputs[0].value != node.outputs[0]) return;
  const auto& pool = node.attributes.as<ops::MaxPoolAttributes>();
  const std::vector<Dim>& shape = body.value(node.inputs[0]).type.shape;
  if (shape.size() != 4 || !shape[2].is_constant() || !shape[3].is_constant() ||
      pool.kernel_shape != Shape{2, 2})
    return;
  const Shape sizes = {shape[2].constant(), shape[3].constant()};
  const ops::Window window = ops::resolve_window(pool, pool.kernel_shape, sizes);
  const auto all = [](const auto& list, int64_t value) {
    return std::all_of(list.begin(), list.end(), [&](int64_t each) { return each == value; });
  };
  pooled = all(window.strides, 2) && all(window.dilations, 1) && all(window.pads_begin, 0) &&
           all(window.pads_end, 0) && sizes[0] % 2 == 0 && sizes[1] % 2 == 0;
}

Contraction Contraction::of(const Problem& problem, bool prologue) {
  Contraction contraction;
  const Support support = analyse(problem, contraction, prologue);
  require(static_cast<bool>(support), "internal: no contraction: {}", support.reason());
  return contraction;
}

std::optional<Dim> Contraction::row_step() const {
  if (!left_c.is(1)) return std::nullopt;
  if (!conv) return left_h == inner ? std::optional(left_h) : std::nullopt;
  for (int d = 0; d < 2; ++d)
    if (kernel[d] != 1 || strides[d] != 1 || pads[d] != 0 || pads_end[d] != 0) return std::nullopt;
  const bool channels_last =
      channels.is(1) || !left_w.is(1);  // of a plain image of one pixel only the channels lie so
  const bool one_distance = channels_last && (height.is(1) || left_h == width * left_w) &&
                            (images.is(1) || left_image == height * width * left_w);
  return one_distance ? std::optional(left_w) : std::nullopt;
}

Support Prologue::supports(const Problem& problem, const Contraction& contraction) {
  if (!contraction.conv || contraction.node == 0) return Support::yes();
  if (contraction.groups > 1) return Support::no("ops before a convolution in groups");
  const std::vector<Dim>& shape = problem.input(contraction.left).shape;
  const auto made_before = [&](ir::ValueId value) {
    for (size_t i = 0; i < contraction.node; ++i)
      if (problem.node(i).outputs[0] == value) return true;
    return false;
  };
  for (size_t i = 0; i < contraction.node; ++i) {
    if (Support support = BodyText::supports(problem, i); !support) return support;
    if (problem.body().value(problem.node(i).outputs[0]).type.shape != shape)
      return Support::no("ops of other shapes before the convolution");
    for (ir::ValueId value : problem.node(i).inputs) {
      const int input = problem.input_index(value);
      if (input < 0 || input == contraction.left) continue;
      const auto strides = broadcast_strides(problem.input(input), shape);
      for (size_t d = 0; d < shape.size(); ++d)
        if (!strides || (d != 1 && !(*strides)[d].is(0)))
          return Support::no("input {} is not one element a channel", input);
    }
  }
  bool goes_round = !made_before(problem.node(contraction.node).inputs[0]);
  for (size_t i = contraction.node + 1; i < problem.nodes().size(); ++i)
    for (ir::ValueId value : problem.node(i).inputs) goes_round = goes_round || made_before(value);
  for (const ir::Output& output : problem.body().outputs)
    goes_round = goes_round || made_before(output.value);
  if (goes_round) return Support::no("ops before the convolution go round it");
  constexpr size_t most_bytes = 16 << 10;
  return Prologue(problem, contraction).shared_bytes() <= most_bytes
             ? Support::yes()
             : Support::no("more operands before the convolution than shared memory takes");
}

Prologue::Prologue(const Problem& problem, const Contraction& contraction)
    : problem_(problem), contraction_(contraction), nodes_(contraction.conv ? contraction.node : 0) {
  for (size_t i = 0; i < nodes_; ++i)
    for (ir::ValueId value : problem.node(i).inputs) {
      const int input = problem.input_index(value);
      const bool known = std::find(operands_.begin(), operands_.end(), input) != operands_.end();
      if (input >= 0 && input != contraction.left && !known) operands_.push_back(input);
    }
}

size_t Prologue::shared_bytes() const {
  int64_t bytes = 0;
  for (int input : operands_)
    bytes += (contraction_.channels.constant() * dtype_bytes(problem_.input(input).dtype) + 15) / 16 * 16;
  return static_cast<size_t>(bytes);
}

void Prologue::add_sizes(Sizes& sizes) const {
  if (!empty()) sizes.add_at_launch("prologue_channels", contraction_.channels);
}

std::string Prologue::text() const {
  if (empty()) return "";
  BodyText body(problem_);
  const std::string element = memory_type(contraction_.dtype);
  const int64_t chunk = 16 / dtype_bytes(contraction_.dtype);
  bool weights = true;
  std::string stage, loads;
  for (int input : operands_) {
    const ir::TensorType& type = problem_.input(input);
    const std::string memory = memory_type(type.dtype);
    const bool repeated = ir::product(type.shape).is(1);
    weights = weights && problem_.is_weight(input);
    stage += fmt::format(
        "  for (int c = threadIdx.x; c < s.prologue_channels; c += blockDim.x)\n"
        "    reinterpret_cast<{0}*>(staged)[c] = ({1})[{2}];\n"
        "  staged += (s.prologue_channels * {3} + 15) / 16 * 16;\n",
        memory, operand_pointer(problem_, input), repeated ? "0" : "c", dtype_bytes(type.dtype));
    loads += fmt::format(
        "  {0} in{1}[{2}];\n  load<{3}, {2}>(in{1}, reinterpret_cast<const {3}*>(staged) + c);\n"
        "  staged += (s.prologue_channels * {4} + 15) / 16 * 16;\n",
        compute_type(type.dtype), input, chunk, memory, dtype_bytes(type.dtype));
    body.define(problem_.body().inputs()[static_cast<size_t>(input)], fmt::format("in{}[j]", input));
  }
  body.define(problem_.body().inputs()[static_cast<size_t>(contraction_.left)], "pixel");
  for (size_t i = 0; i < nodes_; ++i) body.add_node(i);
  return fmt::format("#define BURNISH_PROLOGUE\nconstexpr bool STAGED_EARLY = {};\n", weights) +
         body.functions() +
         fmt::format(
             "BURNISH_DEVICE void stage_prologue(const Operands& p, const Sizes& s, char* staged) {{\n{}}}\n",
             stage) +
         fmt::format(
             "BURNISH_DEVICE void prologue(const Sizes& s, const char* staged, int c, Vector<{0}, {1}>& x) "
             "{{\n{2}"
             "#pragma unroll\n  for (int j = 0; j < {1}; ++j) {{\n    const {3} pixel = "
             "widen<{0}>(x.element[j]);\n{4}    x.element[j] = narrow<{0}>({5});\n  }}\n}}\n",
             element, chunk, loads, compute_type(contraction_.dtype), body.statements(),
             body.name(problem_.node(contraction_.node).inputs[0]));
}

int reusable_input(const Problem& problem, const Contraction& contraction) {
  if (contraction.pooled) return -1;
  const auto read_before = [&](int i) {  // by all blocks, for all columns
    for (size_t node = 0; node <= contraction.node; ++node)
      for (ir::ValueId value : problem.node(node).inputs)
        if (problem.input_index(value) == i) return true;
    return false;
  };
  for (int i = 0; i < problem.input_count(); ++i)
    if (!problem.is_weight(i) && !read_before(i) && problem.input(i) == problem.output(0)) return i;
  return -1;
}

}  // namespace burnish::cuda
