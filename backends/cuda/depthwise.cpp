// Depthwise convolution in nhwc with any pointwise body, by kernels/depthwise.cuh.
#include "base/dispatch.h"
#include "cuda/contraction.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

/// The problem's convolution with all its channels as columns.
Contraction depthwise_of(const Problem& problem) {
  Contraction contraction = Contraction::of(problem);
  contraction.columns = contraction.groups;
  return contraction;
}

int wide_of(const std::string& candidate) {
  require(candidate == "wide1" || candidate == "wide2" || candidate == "wide4",
          "'{}' is no candidate of cuda.depthwise", candidate);
  return candidate.back() - '0';
}

class Depthwise : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.depthwise"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    Contraction contraction;
    if (Support support = Contraction::analyse(problem, contraction); !support) return support;
    if (!contraction.conv || !contraction.channels.is(1) || !contraction.columns.is(1))
      return Support::no("not depthwise");
    if (!is_floating(contraction.dtype) || contraction.dtype == DType::f64)
      return Support::no("it takes f32, f16 and bf16");
    if (problem.input(contraction.left).layout != ir::Layout::nhwc) return Support::no("it takes nhwc");
    return Epilogue::supports(problem, contraction);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return {uniform_layouts(problem)[0]};
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu&) const override {
    const Contraction c = Contraction::of(any.at_opt());
    const double bytes = static_cast<double>(c.groups * c.images.constant() *
                                             (c.height * c.width + c.rows).constant() * dtype_bytes(c.dtype));
    const double us = 1.8 + bytes / 2e6;
    // Few pixels want many threads, many pixels want each read once.
    if (c.total_rows.constant() * c.groups > 1 << 19) return {{"wide4", us}, {"wide2", us}, {"wide1", us}};
    return {{"wide1", us}, {"wide2", us}, {"wide4", us}};
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Contraction c = depthwise_of(problem);
    return fmt::format("using Element = {};\n", memory_type(c.dtype)) +
           constants_text({{"WIDE", wide_of(candidate)}}) +
           fmt::format("BURNISH_DEVICE const Element* input(const Operands& p) {{ return p.x{}; }}\n",
                       c.left) +
           fmt::format(
               "BURNISH_DEVICE const Element* weights(const Operands& p) {{ return static_cast<const "
               "Element*>(p.c{}); }}\n",
               weight_order(problem, c.right)) +
           Epilogue(problem, c).text() + kernel_text("depthwise");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Contraction c = depthwise_of(problem);
    Sizes sizes;
    const std::pair<const char*, ir::Dim> entries[] = {{"rows", c.rows},
                                                       {"columns", c.columns},
                                                       {"images", c.images},
                                                       {"height", c.height},
                                                       {"width", c.width},
                                                       {"out_height", c.out_height},
                                                       {"out_width", c.out_width},
                                                       {"kernel_h", c.kernel[0]},
                                                       {"kernel_w", c.kernel[1]},
                                                       {"stride_h", c.strides[0]},
                                                       {"stride_w", c.strides[1]},
                                                       {"dilation_h", c.dilations[0]},
                                                       {"dilation_w", c.dilations[1]},
                                                       {"pad_h", c.pads[0]},
                                                       {"pad_w", c.pads[1]},
                                                       {"a_image", c.left_image},
                                                       {"a_h", c.left_h},
                                                       {"a_w", c.left_w}};
    for (const auto& [name, value] : entries) sizes.add(name, value);
    Epilogue(problem, c).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string& candidate,
                               const Arch&) const override {
    const Contraction c = depthwise_of(problem), text = depthwise_of(written);
    const int64_t wide = wide_of(candidate), spans = (c.out_width.constant() + wide - 1) / wide;
    const int64_t items =
        c.groups / Epilogue(written, text).vector() * spans * (c.images * c.out_height).constant();
    Launch launch;
    launch.grid[0] = static_cast<unsigned>((items + 127) / 128);
    return {launch};
  }

  int in_place_input(const Problem& problem) const override {
    return reusable_input(problem, Contraction::of(problem));
  }

  /// Weights as [kernel row][kernel column][channel].
  std::vector<Tensor> pack(const Problem& problem, const Candidate& candidate,
                           std::span<const Tensor> weights, device::Device& device) const override {
    std::vector<Tensor> packed = Tactic::pack(problem, candidate, weights, device);
    const Contraction c = Contraction::of(problem);
    const Tensor& from = weights[static_cast<size_t>(c.right)];
    const int64_t positions = c.kernel[0] * c.kernel[1];
    Tensor to(from.dtype(), {positions, c.groups});
    dispatch_bytes(from.dtype(), [&]<class T>(Type<T>) {
      for (int64_t channel = 0; channel < c.groups; ++channel)
        for (int64_t i = 0; i < positions; ++i)
          static_cast<T*>(to.raw())[i * c.groups + channel] =
              static_cast<const T*>(from.raw())[channel * positions + i];
    });
    packed[static_cast<size_t>(weight_order(problem, c.right))] = to;
    return packed;
  }
};

}  // namespace

const device::Tactic& depthwise_tactic() {
  static const Depthwise tactic;
  return tactic;
}

}  // namespace burnish::cuda
