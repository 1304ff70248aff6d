// Convolutions of single pixels (1x1): the product of a matrix of pixels with one of weights, with pointwise
// ops in front of it and behind it, on blocks of pixels that stay in the cache.
#include <algorithm>
#include <cstring>
#include <set>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/tile_program.h"
#include "base/parallel.h"
#include "ops/contraction.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 128 << 10;        ///< multiply-adds that are worth a second thread
constexpr int64_t block_floats = 48 << 10;  ///< of a block of pixels with all their channels
constexpr int64_t depth_block = 192;        ///< a panel's part of this depth stays in the nearest cache
constexpr int64_t row_step = 12;  ///< rows that the inner kernel takes at a time where registers are many

/// A body with one convolution, what is in front of it and what is behind.
struct PixelConv {
  const ir::Node* node = nullptr;
  ir::ValueId x, made, result;
  std::vector<ir::NodeId> prologue, epilogue;
  int weight = -1, bias = -1;
};

bool all_are(const std::vector<int64_t>& numbers, int64_t wanted) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int64_t number) { return number == wanted; });
}

/// Adds the nodes that make `value` inside the body.
void collect_makers(const ir::Graph& body, ir::ValueId value, std::set<ir::NodeId>& makers) {
  const ir::NodeId maker = body.value(value).producer;
  if (!maker || !makers.insert(maker).second) return;
  for (ir::ValueId input : body.node(maker).inputs)
    if (input) collect_makers(body, input, makers);
}

Support find_operands(const device::Problem& problem, PixelConv& conv) {
  const ir::Graph& body = problem.body();
  const auto& attributes = conv.node->attributes.as<ops::ConvAttributes>();
  const auto kernel = ir::constants(body.value(conv.node->inputs[1]).type.shape);
  if (!kernel || kernel->size() < 3 || !all_are({kernel->begin() + 2, kernel->end()}, 1) ||
      attributes.group != 1 || !all_are(attributes.strides, 1) || !all_are(attributes.pads, 0) ||
      attributes.auto_pad != "NOTSET")
    return Support::no("not a convolution of single pixels, each with all channels");
  conv.weight = problem.input_index(conv.node->inputs[1]);
  if (conv.weight < 0 || !problem.is_weight(conv.weight)) return Support::no("the filters are no constants");
  if (conv.node->inputs.size() < 3 || !conv.node->inputs[2]) return Support::yes();
  conv.bias = problem.input_index(conv.node->inputs[2]);
  if (conv.bias < 0 || !problem.is_weight(conv.bias) || conv.bias == conv.weight)
    return Support::no("the bias is no constant of its own");
  return Support::yes();
}

Support find_conv(const device::Problem& problem, PixelConv& conv) {
  const ir::Graph& body = problem.body();
  if (problem.output_count() != 1) return Support::no("more than one output");
  for (ir::NodeId id : problem.nodes()) {
    if (ops::definition(body.node(id)).expression) continue;
    if (conv.node || body.node(id).op != &ops::def::conv) return Support::no("no body of one convolution");
    conv.node = &body.node(id);
  }
  if (!conv.node) return Support::no("no body of one convolution");
  if (Support operands = find_operands(problem, conv); !operands) return operands;
  conv.x = conv.node->inputs[0], conv.made = conv.node->outputs[0], conv.result = body.outputs[0].value;
  std::set<ir::NodeId> makers;
  collect_makers(body, conv.x, makers);
  for (ir::NodeId id : problem.nodes())
    if (&body.node(id) != conv.node) (makers.contains(id) ? conv.prologue : conv.epilogue).push_back(id);
  if (conv.prologue.empty() && problem.input_index(conv.x) < 0)
    return Support::no("the input is no input of the problem");
  for (ir::ValueId value : {conv.x, conv.made, conv.result})
    if (body.value(value).type.dtype != DType::f32) return Support::no("f32 only");
  if (body.value(conv.made).type.shape != body.value(conv.result).type.shape)
    return Support::no("the epilogue changes the shape");
  if (conv.epilogue.empty() && conv.result != conv.made)
    return Support::no("the output is not what the convolution makes");
  if (!conv.prologue.empty())
    if (Support program = TileProgram::supports(problem, conv.prologue, {}, std::span(&conv.x, 1)); !program)
      return program;
  if (conv.epilogue.empty()) return Support::yes();
  return TileProgram::supports(problem, conv.epilogue, std::span(&conv.made, 1), std::span(&conv.result, 1));
}

/// Of a problem that find_conv() said yes to.
PixelConv conv_of(const device::Problem& problem) {
  PixelConv conv;
  const Support found = find_conv(problem, conv);
  require(static_cast<bool>(found), "internal: {}", found.reason());
  return conv;
}

bool one_pixel(const ir::TensorType& type) {
  return std::all_of(type.shape.begin() + 2, type.shape.end(), [](const ir::Dim& dim) { return dim.is(1); });
}

/// Whether pixels lie one behind the other, with all their channels or with a block of them.
Support has_pixels(const ir::TensorType& type, ir::Layout layout) {
  if (!type.shape[1].is_constant()) return Support::no("the number of channels is not constant");
  if (layout == ir::Layout::plain)
    return one_pixel(type) ? Support::yes() : Support::no("channels do not lie side by side");
  if (layout != ir::Layout::nhwc && (block_size(layout) != 16 || type.shape[1].constant() % 16 != 0))
    return Support::no("blocks of 16 channels only, without padding");
  return Support::yes();
}

Support has_layouts(const device::Problem& problem, const PixelConv& conv) {
  const ir::TensorType &x = problem.body().value(conv.x).type, &y = problem.output(0);
  if (Support pixels = has_pixels(x, y.layout); !pixels) return pixels;
  if (Support pixels = has_pixels(y, y.layout); !pixels) return pixels;
  for (int i = 0; i < problem.input_count(); ++i) {
    const ir::TensorType& type = problem.input(i);
    const bool large = !problem.is_weight(i) && (type.shape == x.shape || type.shape == y.shape);
    if (type.layout != (large ? y.layout : ir::Layout::plain))
      return Support::no("input {} has another layout than the output", i);
  }
  return Support::yes();
}

class BoundPixelConv : public device::BoundKernel {
 public:
  BoundPixelConv(const device::Problem& problem, const PixelConv& conv,
                 const device::BindArguments& arguments, int threads)
      : conv_(conv), pointers_(problem), x_input_(problem.input_index(conv.x)) {
    const device::BoundTensor& y = arguments.outputs[0];
    blocked_ = block_size(y.layout) > 1;
    images_ = y.shape[0], columns_ = y.shape[1];
    depth_ = problem.body().value(conv.x).type.shape[1].constant();
    pointers_.expect(conv.weight, packed_size(depth_, columns_) * dtype_bytes(DType::f32));
    pixels_ = 1;
    for (size_t d = 2; d < y.shape.size(); ++d) pixels_ *= y.shape[d];
    Shape x_shape = y.shape;
    x_shape[1] = depth_;
    if (!conv.prologue.empty())
      prologue_ =
          TileProgram(problem, conv.prologue, {}, {conv.x}).bind(arguments, {DType::f32, x_shape, y.layout});
    if (!conv.epilogue.empty())
      epilogue_ = TileProgram(problem, conv.epilogue, {conv.made}, {conv.result}).bind(arguments, y);
    divide(threads);
  }

  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_ * floats_per_thread()) * sizeof(float);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const void* const* inputs = pointers_.resolve(arguments);
    const int64_t tasks = images_ * blocks_ * groups_;
    if (tasks * columns_ * pixels_ == 0) return;
    current_parallel().run(static_cast<int>(threads_), [&](int thread) {
      float* scratch = static_cast<float*>(arguments.workspace) + thread * floats_per_thread();
      for (int64_t task = tasks * thread / threads_; task < tasks * (thread + 1) / threads_; ++task)
        run_block(task / groups_, task % groups_, inputs, arguments.outputs[0], scratch);
    });
  }

 private:
  /// Pixels in blocks, and columns in groups where there are few pixels or the weights are what is large.
  void divide(int threads) {
    const int64_t panels = (columns_ + gemm_panel - 1) / gemm_panel;
    const int64_t fits =
        std::max(row_step, block_floats / std::max<int64_t>(1, depth_) / row_step * row_step);
    blocks_ = std::max<int64_t>(1, (pixels_ + fits - 1) / fits);
    const bool small = images_ * pixels_ * depth_ * columns_ < grain;
    threads_ = small ? 1 : threads;
    const bool weights_are_large = columns_ > pixels_;
    if (!small && !weights_are_large)
      blocks_ = std::max<int64_t>(blocks_, std::min<int64_t>(threads, pixels_ / row_step));
    if (!small && images_ * blocks_ < threads)
      groups_ = std::min<int64_t>(panels, (threads + images_ * blocks_ - 1) / (images_ * blocks_));
    largest_block_ = (pixels_ + blocks_ - 1) / blocks_;
    copies_input_ = blocked_ || !conv_.prologue.empty();
    // Rows a power of two apart would compete for the same few lines of the cache.
    row_ = copies_input_ && depth_ % 128 == 0 ? depth_ + 16 : depth_;
  }

  int64_t floats_per_thread() const {
    return largest_block_ * ((copies_input_ ? row_ : 0) + (blocked_ ? 16 + gemm_panel : 0));
  }

  /// Block `block` counted over images, and the columns of one group.
  void run_block(int64_t block, int64_t group, const void* const* inputs, void* output,
                 float* scratch) const {
    const int64_t image = block / blocks_, first = pixels_ * (block % blocks_) / blocks_;
    const int64_t count = pixels_ * (block % blocks_ + 1) / blocks_ - first;
    const int64_t panels = (columns_ + gemm_panel - 1) / gemm_panel;
    const int64_t begin = panels * group / groups_ * gemm_panel;
    const int64_t end = std::min(columns_, panels * (group + 1) / groups_ * gemm_panel);
    const float* a = static_cast<const float*>(x_input_ < 0 ? nullptr : inputs[x_input_]);
    if (!copies_input_) {
      a += (image * pixels_ + first) * depth_;
    } else {
      if (blocked_)
        gather_blocks(image, first, count, inputs, a, scratch);
      else
        make_input_rows(image * pixels_ + first, count, inputs, scratch);
      a = scratch;
      scratch += largest_block_ * row_;
    }
    if (blocked_)
      make_blocks(image, first, count, begin, end, a, inputs, output, scratch);
    else
      make_rows(image * pixels_ + first, count, begin, end, a, inputs, output);
  }

  void run_prologue(int64_t begin, int64_t count, const void* const* inputs, float* to) const {
    void* result = to;
    prologue_.run_into(begin, count, inputs, nullptr, &result);
  }

  void make_input_rows(int64_t first, int64_t count, const void* const* inputs, float* rows) const {
    if (row_ == depth_) return run_prologue(first * depth_, count * depth_, inputs, rows);
    for (int64_t i = 0; i < count; ++i) run_prologue((first + i) * depth_, depth_, inputs, rows + i * row_);
  }

  /// Rows of channels out of blocks of channels.
  void gather_blocks(int64_t image, int64_t first, int64_t count, const void* const* inputs, const float* x,
                     float* rows) const {
    float* part = rows + largest_block_ * row_;
    for (int64_t block = 0; block < depth_ / 16; ++block) {
      const int64_t begin = ((image * (depth_ / 16) + block) * pixels_ + first) * 16;
      const float* from = x + begin;
      if (!conv_.prologue.empty()) run_prologue(begin, count * 16, inputs, part), from = part;
      for (int64_t row = 0; row < count; ++row)
        std::memcpy(rows + row * row_ + block * 16, from + row * 16, 16 * sizeof(float));
    }
  }

  /// One panel's columns for all rows.
  void multiply(const float* a, int64_t rows, int64_t column, int64_t columns, const void* const* inputs,
                float* c, int64_t c_row) const {
    const float* panels = static_cast<const float*>(inputs[conv_.weight]);
    if (conv_.bias >= 0)
      for (int64_t row = 0; row < rows; ++row)
        std::memcpy(c + row * c_row, static_cast<const float*>(inputs[conv_.bias]) + column,
                    static_cast<size_t>(columns) * sizeof(float));
    for (int64_t k = 0; k < depth_; k += depth_block) {
      GemmCall call;
      call.rows = rows, call.columns = columns, call.depth = std::min(depth_block, depth_ - k);
      call.a = a + k, call.a_row = row_;
      call.panel = panels + column * depth_ + k * gemm_panel;
      call.c = c, call.c_row = c_row;
      call.accumulate = k > 0 || conv_.bias >= 0;
      gemm_kernels().multiply(call);
    }
  }

  void finish(int64_t begin, int64_t count, const void* const* inputs, void* output) const {
    if (conv_.epilogue.empty()) return;
    const void* made = static_cast<float*>(output) + begin;
    epilogue_.run(begin, count, inputs, &made, &output);
  }

  void make_rows(int64_t row, int64_t count, int64_t begin, int64_t end, const float* a,
                 const void* const* inputs, void* output) const {
    float* to = static_cast<float*>(output) + row * columns_;
    for (int64_t column = begin; column < end; column += gemm_panel)
      multiply(a, count, column, std::min(gemm_panel, end - column), inputs, to + column, columns_);
    if (begin == 0 && end == columns_) return finish(row * columns_, count * columns_, inputs, output);
    for (int64_t i = 0; i < count; ++i) finish((row + i) * columns_ + begin, end - begin, inputs, output);
  }

  void make_blocks(int64_t image, int64_t first, int64_t count, int64_t begin, int64_t end, const float* a,
                   const void* const* inputs, void* output, float* scratch) const {
    float* rows = scratch + largest_block_ * 16;
    for (int64_t column = begin; column < end; column += gemm_panel) {
      const int64_t columns = std::min(gemm_panel, end - column);
      multiply(a, count, column, columns, inputs, rows, gemm_panel);
      for (int64_t part = 0; part < columns; part += 16) {
        const int64_t at = ((image * (columns_ / 16) + (column + part) / 16) * pixels_ + first) * 16;
        float* to = static_cast<float*>(output) + at;
        for (int64_t row = 0; row < count; ++row)
          std::memcpy(to + row * 16, rows + row * gemm_panel + part, 16 * sizeof(float));
        finish(at, count * 16, inputs, output);
      }
    }
  }

  const PixelConv conv_;
  InputPointers pointers_;
  const int x_input_;
  BoundProgram prologue_, epilogue_;
  bool blocked_ = false, copies_input_ = false;
  int64_t images_ = 1, pixels_ = 1, depth_ = 1, columns_ = 1, row_ = 1;
  int64_t threads_ = 1, blocks_ = 1, groups_ = 1, largest_block_ = 1;
};

class PixelConvTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.pixel_conv"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    PixelConv conv;
    if (Support found = find_conv(problem, conv); !found) return found;
    return has_layouts(problem, conv);
  }

  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo& device) const override {
    PixelConv conv;
    if (!find_conv(problem, conv)) return Tactic::layouts(problem, device);
    const ir::TensorType &x = problem.body().value(conv.x).type, &y = problem.output(0);
    std::vector<std::vector<ir::Layout>> sets;
    for (ir::Layout layout : {onednn::native_blocks(), ir::Layout::nhwc, ir::Layout::plain}) {
      std::vector<ir::Layout> set;
      for (int i = 0; i < problem.input_count(); ++i) {
        const bool large =
            !problem.is_weight(i) && (problem.input(i).shape == x.shape || problem.input(i).shape == y.shape);
        set.push_back(large ? layout : ir::Layout::plain);
      }
      set.push_back(layout);
      if (has_pixels(x, layout) && has_pixels(y, layout)) sets.push_back(std::move(set));
    }
    return sets;
  }

  /// The filters become panels of columns; other weights stay.
  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate&,
                           std::span<const Tensor> weights, device::Device&) const override {
    const PixelConv conv = conv_of(problem);
    std::vector<Tensor> packed;
    for (int i = 0; i < problem.input_count(); ++i) {
      if (!problem.is_weight(i)) continue;
      const Tensor& weight = weights[static_cast<size_t>(i)];
      packed.push_back(i == conv.weight ? panels_of(weight) : weight);
    }
    return packed;
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function(
        [problem, threads = device.info().threads](const device::BindArguments& arguments) {
          return std::make_unique<BoundPixelConv>(problem, conv_of(problem), arguments, threads);
        });
  }

 private:
  static Tensor panels_of(const Tensor& filters) {
    const int64_t columns = filters.shape()[0], depth = filters.shape()[1];
    Tensor panels(DType::f32, {packed_size(depth, columns)});
    pack_panels(filters.data<float>(), 1, depth, depth, columns, panels.data<float>());
    return panels;
  }
};

}  // namespace

const device::Tactic& pixel_conv_tactic() {
  static const PixelConvTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
