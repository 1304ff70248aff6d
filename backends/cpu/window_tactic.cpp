// Depthwise convolution and pooling where channels lie side by side, with any pointwise epilogue.
#include <algorithm>

#include "backends/cpu/anchored_body.h"
#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/window_kernels.h"
#include "base/parallel.h"
#include "ops/contraction.h"
#include "ops/pool.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 32 << 10;       ///< multiplications or comparisons that are worth a thread
constexpr int64_t chunk_elements = 2048;  ///< of output, made and then finished by the epilogue

enum class Kind : uint8_t { convolution, largest, average };

/// A sliding op with its operands' places among the problem's inputs.
struct Sliding {
  Kind kind;
  const ir::Node* node;
  int x = -1, weight = -1, bias = -1;
  Shape kernel;
  const ops::WindowAttributes* window;
  bool ceil_mode = false, counts_padding = false;
};

std::optional<Sliding> find_sliding(const device::Problem& problem, const ir::Node& node) {
  Sliding found;
  found.node = &node;
  found.x = problem.input_index(node.inputs[0]);
  if (node.op == &ops::def::conv) {
    found.kind = Kind::convolution;
    found.window = &node.attributes.as<ops::ConvAttributes>();
    const auto weight = ir::constants(problem.body().value(node.inputs[1]).type.shape);
    if (!weight) return std::nullopt;
    found.kernel.assign(weight->begin() + 2, weight->end());
    found.weight = problem.input_index(node.inputs[1]);
    if (node.inputs.size() > 2 && node.inputs[2]) found.bias = problem.input_index(node.inputs[2]);
    return found;
  }
  if (node.op != &ops::def::max_pool && node.op != &ops::def::average_pool) return std::nullopt;
  found.kind = node.op == &ops::def::max_pool ? Kind::largest : Kind::average;
  const ops::PoolAttributes& pool =
      found.kind == Kind::largest
          ? static_cast<const ops::PoolAttributes&>(node.attributes.as<ops::MaxPoolAttributes>())
          : node.attributes.as<ops::AveragePoolAttributes>();
  if (found.kind == Kind::average)
    found.counts_padding = node.attributes.as<ops::AveragePoolAttributes>().count_include_pad;
  found.kernel = pool.kernel_shape;
  found.window = &pool;
  return found;
}

/// Whether a convolution is depthwise with one filter per channel, its weights known at build.
Support supports_depthwise(const device::Problem& problem, const Sliding& sliding) {
  const auto& type = problem.body().value(sliding.node->inputs[1]).type;
  const int64_t group = sliding.node->attributes.as<ops::ConvAttributes>().group;
  if (!type.shape[0].is(group) || !type.shape[1].is(1) || !problem.input(sliding.x).shape[1].is(group))
    return Support::no("not one filter per channel");
  if (sliding.weight < 0 || !problem.is_weight(sliding.weight))
    return Support::no("the filters are no constants");
  const bool has_bias = sliding.node->inputs.size() > 2 && sliding.node->inputs[2];
  if (has_bias && (sliding.bias < 0 || !problem.is_weight(sliding.bias)))
    return Support::no("the bias is no constant");
  if (has_bias && sliding.bias == sliding.weight) return Support::no("one operand twice");
  return Support::yes();
}

/// The sizes of one problem; an image without height has one row.
struct Geometry {
  int64_t images, blocks, channels;  // channels side by side, and blocks of them
  int64_t height, width, out_height, out_width;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
  std::vector<float> row_factors, column_factors;

  Geometry(const Sliding& sliding, const device::BoundTensor& x, const device::BoundTensor& y) {
    const Shape input(x.shape.begin() + 2, x.shape.end()), output(y.shape.begin() + 2, y.shape.end());
    const ops::Window window = ops::resolve_window(*sliding.window, sliding.kernel, input);
    const bool flat = input.size() == 1;
    const size_t w = flat ? 0 : 1;
    images = x.shape[0];
    channels = block_size(x.layout) > 1 ? block_size(x.layout) : x.shape[1];
    blocks = x.shape[1] / std::max<int64_t>(1, channels);
    height = flat ? 1 : input[0], width = input[w];
    out_height = flat ? 1 : output[0], out_width = output[w];
    kernel_h = flat ? 1 : window.kernel[0], kernel_w = window.kernel[w];
    stride_h = flat ? 1 : window.strides[0], stride_w = window.strides[w];
    dilation_h = flat ? 1 : window.dilations[0], dilation_w = window.dilations[w];
    pad_h = flat ? 0 : window.pads_begin[0], pad_w = window.pads_begin[w];
    if (sliding.kind != Kind::average) return;
    row_factors = factors(out_height, height, kernel_h, stride_h, dilation_h, pad_h,
                          flat ? 0 : window.pads_end[0], sliding.counts_padding);
    column_factors = factors(out_width, width, kernel_w, stride_w, dilation_w, pad_w, window.pads_end[w],
                             sliding.counts_padding);
  }

  /// For each output position, one over the points of its window that lie inside the image (or its padding).
  static std::vector<float> factors(int64_t outputs, int64_t inputs, int64_t kernel, int64_t stride,
                                    int64_t dilation, int64_t pad, int64_t pad_end, bool padding) {
    std::vector<float> result;
    for (int64_t o = 0; o < outputs; ++o) {
      int64_t count = 0;
      for (int64_t k = 0; k < kernel; ++k) {
        const int64_t at = o * stride + k * dilation - pad;
        count += padding ? at < inputs + pad_end : at >= 0 && at < inputs;
      }
      result.push_back(1.0f / static_cast<float>(count));
    }
    return result;
  }
};

class BoundWindow : public device::BoundKernel {
 public:
  BoundWindow(const device::Problem& problem, const device::BindArguments& arguments)
      : body_(*AnchoredBody::of(problem)),
        sliding_(*find_sliding(problem, body_.anchor())),
        pointers_(problem),
        geometry_(sliding_, arguments.inputs[static_cast<size_t>(sliding_.x)], arguments.outputs[0]) {
    if (body_.has_epilogue()) epilogue_ = body_.epilogue().bind(arguments, arguments.outputs[0]);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const void* const* inputs = pointers_.resolve(arguments);
    const Geometry& g = geometry_;
    const int64_t work = g.out_width * g.channels * g.kernel_h * g.kernel_w;
    parallel_for(g.images * g.blocks * g.out_height, std::max<int64_t>(1, grain / std::max<int64_t>(1, work)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) run_row(row, inputs, arguments.outputs[0]);
                 });
  }

 private:
  /// Output row `row` counted over images, blocks of channels and heights.
  void run_row(int64_t row, const void* const* inputs, void* output) const {
    const Geometry& g = geometry_;
    const int64_t plane = row / g.out_height, y = row % g.out_height, channel = plane % g.blocks * g.channels;
    const float* image =
        static_cast<const float*>(inputs[sliding_.x]) + plane * g.height * g.width * g.channels;
    WindowCall call;
    for (int64_t k = 0; k < g.kernel_h; ++k) {
      const int64_t at = y * g.stride_h + k * g.dilation_h - g.pad_h;
      if (at < 0 || at >= g.height) continue;
      call.inputs[call.rows] = image + at * g.width * g.channels;
      if (sliding_.kind == Kind::convolution)
        call.weights[call.rows] = static_cast<const float*>(inputs[sliding_.weight]) +
                                  k * g.kernel_w * g.blocks * g.channels + channel;
      ++call.rows;
    }
    if (sliding_.bias >= 0) call.bias = static_cast<const float*>(inputs[sliding_.bias]) + channel;
    if (sliding_.kind == Kind::average) {
      call.column_factors = g.column_factors.data();
      call.row_factor = g.row_factors[static_cast<size_t>(y)];
    }
    call.width = g.width, call.kernel = g.kernel_w, call.stride = g.stride_w, call.dilation = g.dilation_w,
    call.pad = g.pad_w;
    call.pixel = call.channels = g.channels;
    call.weight_step = g.blocks * g.channels;
    run_columns(call, row * g.out_width * g.channels, inputs, output);
  }

  void run_columns(WindowCall& call, int64_t offset, const void* const* inputs, void* output) const {
    const WindowKernels& kernels = window_kernels();
    const auto kernel = sliding_.kind == Kind::convolution ? kernels.depthwise
                        : sliding_.kind == Kind::largest   ? kernels.largest
                                                           : kernels.average;
    const int64_t chunk = std::max<int64_t>(8, chunk_elements / std::max<int64_t>(1, call.channels) / 8 * 8);
    for (call.begin = 0; call.begin < geometry_.out_width; call.begin = call.end) {
      call.end = std::min(geometry_.out_width, call.begin + chunk);
      const int64_t from = offset + call.begin * call.channels;
      call.output = static_cast<float*>(output) + from;
      kernel(call);
      const void* made = call.output;
      if (body_.has_epilogue())
        epilogue_.run(from, (call.end - call.begin) * call.channels, inputs, &made, &output);
    }
  }

  AnchoredBody body_;
  Sliding sliding_;
  InputPointers pointers_;
  Geometry geometry_;
  BoundProgram epilogue_;
};

class WindowTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.window"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const auto body = AnchoredBody::of(problem);
    const auto sliding = body ? find_sliding(problem, body->anchor()) : std::nullopt;
    if (!sliding) return Support::no("no convolution or pooling with an epilogue");
    if (sliding->x < 0 || problem.input(sliding->x).dtype != DType::f32) return Support::no("x is not f32");
    if (body->anchor().outputs.size() != 1) return Support::no("indices are wanted");
    const ir::TensorType& x = problem.input(sliding->x);
    if (x.rank() != 3 && x.rank() != 4) return Support::no("one or two spatial dimensions only");
    if (sliding->kernel[0] > most_window_rows)
      return Support::no("more than {} rows in the window", most_window_rows);
    if (sliding->kind == Kind::convolution)
      if (Support depthwise = supports_depthwise(problem, *sliding); !depthwise) return depthwise;
    if (x.layout == ir::Layout::plain || x.layout != problem.output(0).layout)
      return Support::no("channels must lie side by side, in input and output alike");
    if (!x.shape[1].is_constant()) return Support::no("the number of channels is not constant");
    if (Support epilogue = body->supports_epilogue(); !epilogue) return epilogue;
    return follows_output(problem);
  }

  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo&) const override {
    return shared_layouts(problem);
  }

  /// Filters become [kernel][channels]; other weights stay.
  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate&,
                           std::span<const Tensor> weights, device::Device&) const override {
    const AnchoredBody body = *AnchoredBody::of(problem);
    const int filters = find_sliding(problem, body.anchor())->weight;
    std::vector<Tensor> packed;
    for (int i = 0; i < problem.input_count(); ++i) {
      if (!problem.is_weight(i)) continue;
      const Tensor& weight = weights[static_cast<size_t>(i)];
      packed.push_back(i == filters ? taps_first(weight) : weight);
    }
    return packed;
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      return std::make_unique<BoundWindow>(problem, arguments);
    });
  }

 private:
  static Tensor taps_first(const Tensor& filters) {
    const int64_t channels = filters.shape()[0], taps = filters.size() / std::max<int64_t>(1, channels);
    Tensor packed(DType::f32, {taps, channels});
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t t = 0; t < taps; ++t)
        packed.data<float>()[t * channels + c] = filters.data<float>()[c * taps + t];
    return packed;
  }
};

}  // namespace

const device::Tactic& window_tactic() {
  static const WindowTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
