// Resize of images of floats in any layout: rows of pixels, or of channels, as weighted sums of others.
#include <algorithm>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/physical_view.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/resize.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 16 << 10;  ///< output elements that are worth a thread

/// One input pixel (or row) and its weight; those of one output lie together.
struct Tap {
  int64_t index;
  float weight;
};

/// The taps of one dimension without those of weight 0, and where those of each output begin.
struct AxisTaps {
  std::vector<Tap> taps;
  std::vector<int32_t> begin = {0};

  explicit AxisTaps(const ops::ResizeTaps& all) {
    for (size_t o = 0; o < all.outside.size(); ++o) {
      for (int64_t t = 0; t < all.taps; ++t) {
        const size_t at = o * static_cast<size_t>(all.taps) + static_cast<size_t>(t);
        if (all.weights[at] != 0) taps.push_back({all.indices[at], all.weights[at]});
      }
      begin.push_back(static_cast<int32_t>(taps.size()));
    }
  }
  std::span<const Tap> of(int64_t output) const {
    const auto o = static_cast<size_t>(output);
    return std::span(taps).subspan(static_cast<size_t>(begin[o]),
                                   static_cast<size_t>(begin[o + 1] - begin[o]));
  }
};

/// Images of height x width pixels with `channels` elements side by side in each.
class Resizer {
 public:
  Resizer(const ops::ResizeAttributes& attributes, std::span<const Tensor> operands,
          const device::BoundTensor& x)
      : Resizer(attributes, ops::resize_axes(attributes, operands), x) {}

  int64_t buffer_elements() const { return channels_ == 1 ? width_ : 0; }

  void run(const float* x, float* y, float* buffers, int threads) const {
    const int64_t rows = images_ * out_height_, row = out_width_ * channels_;
    if (rows * row == 0) return;
    const int64_t parts = std::clamp<int64_t>(rows * row / grain, 1, threads);
    current_parallel().run(static_cast<int>(parts), [&](int part) {
      for (int64_t i = rows * part / parts; i < rows * (part + 1) / parts; ++i) {
        const float* image = x + i / out_height_ * height_ * width_ * channels_;
        const auto lines = vertical_.of(i % out_height_);
        if (channels_ == 1)
          resize_row(image, lines, y + i * row, buffers + part * width_);
        else
          resize_pixels(image, lines, y + i * row);
      }
    });
  }

 private:
  Resizer(const ops::ResizeAttributes& attributes, const std::vector<ops::ResizeAxis>& axes,
          const device::BoundTensor& x)
      : vertical_(taps_of(attributes, axes.size() == 4 ? axes[2] : ops::ResizeAxis{})),
        horizontal_(taps_of(attributes, axes.back())) {
    channels_ = x.layout == ir::Layout::plain ? 1
                : block_size(x.layout) > 1    ? block_size(x.layout)
                                              : x.shape[1];
    images_ = x.shape[0] * x.shape[1] / std::max<int64_t>(1, channels_);
    height_ = axes.size() == 4 ? axes[2].input : 1, width_ = axes.back().input;
    out_height_ = axes.size() == 4 ? axes[2].output : 1, out_width_ = axes.back().output;
  }

  static AxisTaps taps_of(const ops::ResizeAttributes& attributes, const ops::ResizeAxis& axis) {
    const bool kept = axis.input == axis.output && axis.scale == 1;
    ops::ResizeAttributes nearest;
    return AxisTaps(ops::resize_taps(kept ? nearest : attributes, axis));
  }

  /// Pixels of several channels: each a sum over lines and columns.
  void resize_pixels(const float* image, std::span<const Tap> lines, float* y) const {
    const RowKernels& kernels = row_kernels();
    for (int64_t column = 0; column < out_width_; ++column, y += channels_) {
      bool first = true;
      for (const Tap& line : lines) {
        for (const Tap& tap : horizontal_.of(column)) {
          kernels.add_scaled(image + (line.index * width_ + tap.index) * channels_, y, channels_,
                             line.weight * tap.weight, first);
          first = false;
        }
      }
      if (first) std::fill_n(y, channels_, 0.0f);
    }
  }

  /// A row of single elements: lines are summed first, unless there is but one.
  void resize_row(const float* image, std::span<const Tap> lines, float* y, float* buffer) const {
    const float* line = buffer;
    if (lines.size() == 1 && lines[0].weight == 1)
      line = image + lines[0].index * width_;
    else if (lines.empty())
      std::fill_n(buffer, width_, 0.0f);
    else
      for (size_t i = 0; i < lines.size(); ++i)
        row_kernels().add_scaled(image + lines[i].index * width_, buffer, width_, lines[i].weight, i == 0);
    for (int64_t column = 0; column < out_width_; ++column) {
      float sum = 0;
      for (const Tap& tap : horizontal_.of(column)) sum += tap.weight * line[tap.index];
      y[column] = sum;
    }
  }

  AxisTaps vertical_, horizontal_;
  int64_t images_, channels_, height_, width_, out_height_, out_width_;
};

class ResizeTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.resize"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const ir::Node* node = problem.single(ops::def::resize);
    if (!node || problem.input_index(node->inputs[0]) != 0 || problem.is_weight(0))
      return Support::no("not resize of an activation");
    const ir::TensorType& x = problem.input(0);
    if (x.dtype != DType::f32 || (x.rank() != 3 && x.rank() != 4)) return Support::no("f32 images only");
    const auto& attributes = node->attributes.as<ops::ResizeAttributes>();
    if (attributes.coordinate_transformation_mode == "tf_crop_and_resize")
      return Support::no("tf_crop_and_resize is left to the reference");
    if (problem.output(0).shape[0] != x.shape[0] || problem.output(0).shape[1] != x.shape[1])
      return Support::no("images or channels change");
    if (problem.output(0).layout != x.layout) return Support::no("input and output have different layouts");
    const int64_t block = block_size(x.layout);
    if (x.layout != ir::Layout::plain && (!x.shape[1].is_constant() || x.shape[1].constant() % block != 0))
      return Support::no("blocks do not divide the channels");
    for (int i = 1; i < problem.input_count(); ++i)
      if (problem.input(i).layout != ir::Layout::plain) return Support::no("scales and sizes are plain");
    return Support::yes();
  }
  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo& device) const override {
    return problem.single(ops::def::resize) && problem.output_count() == 1 ? shared_layouts(problem)
                                                                           : Tactic::layouts(problem, device);
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function(
        [problem, threads = device.info().threads](const device::BindArguments& arguments) {
          const ir::Node& node = problem.node(0);
          std::vector<Tensor> operands(node.inputs.size());
          operands[0] = Tensor::view(DType::f32, arguments.inputs[0].shape, nullptr);
          for (size_t i = 1; i < operands.size(); ++i) {
            if (!node.inputs[i]) continue;
            const int input = problem.input_index(node.inputs[i]);
            operands[i] = input < 0 ? problem.literal(node.inputs[i])
                                    : arguments.host_inputs[static_cast<size_t>(input)];
          }
          const Resizer resizer(node.attributes.as<ops::ResizeAttributes>(), operands, arguments.inputs[0]);
          return bound_function(
              [resizer, threads](const device::Arguments& run) {
                resizer.run(static_cast<const float*>(run.inputs[0]), static_cast<float*>(run.outputs[0]),
                            static_cast<float*>(run.workspace), threads);
              },
              static_cast<size_t>(resizer.buffer_elements() * threads) * sizeof(float));
        });
  }
};

}  // namespace

const device::Tactic& resize_tactic() {
  static const ResizeTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
