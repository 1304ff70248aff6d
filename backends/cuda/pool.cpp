// Maximum and average pooling over one or two dimensions, by kernels/pool.cuh.
#include "ops/pool.h"
#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

class Pool : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.pool"; }
  bool takes_pitch() const override { return true; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    const bool maximum = problem.single(ops::def::max_pool) != nullptr;
    if (!maximum && !problem.single(ops::def::average_pool)) return Support::no("not pooling");
    const ir::TensorType& x = problem.input(0);
    if (problem.output_count() != 1 || (problem.node(0).outputs.size() > 1 && problem.node(0).outputs[1] &&
                                        !problem.body().value(problem.node(0).outputs[1]).uses.empty()))
      return Support::no("it gives no indices");
    if (x.rank() != 3 && x.rank() != 4) return Support::no("pooling of rank {}", x.rank());
    if (x.layout != problem.output(0).layout && !scatters(problem)) return Support::no("it keeps the layout");
    if (!is_floating(x.dtype)) return Support::no("it takes floats");
    return window(problem) ? Support::yes() : Support::no("pads that depend on the input's size");
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    auto sets = uniform_layouts(problem);
    if (!problem.single(ops::def::max_pool) && !problem.single(ops::def::average_pool)) return sets;
    const Problem at_opt = problem.at_opt();
    if (at_opt.input(0).rank() == 4 && at_opt.output_count() == 1 &&
        ir::product(at_opt.output(0).shape).constant() <= most_scattered)
      sets.insert(sets.begin() + 1, {ir::Layout::nhwc, ir::Layout::plain});  // before a flatten
    return sets;
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    const ir::TensorType& x = problem.input(0);
    const bool maximum = problem.single(ops::def::max_pool) != nullptr;
    const bool count_padding =
        !maximum && problem.node(0).attributes.as<ops::AveragePoolAttributes>().count_include_pad;
    return fmt::format("using Element = {};\n#define INFINITY_VALUE {}\n", memory_type(x.dtype),
                       x.dtype == DType::f64 ? "__longlong_as_double(0x7ff0000000000000ll)"
                                             : "__int_as_float(0x7f800000)") +
           constants_text({{"VECTOR", vector(problem)},
                           {"CHANNELS_LAST", x.layout == ir::Layout::nhwc},
                           {"SCATTERED", scatters(problem)},
                           {"MAXIMUM", maximum},
                           {"COUNT_PADDING", count_padding}}) +
           kernel_text("pool");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const ir::TensorType &x = problem.input(0), &y = problem.output(0);
    const ops::Window moves = *window(problem);
    const bool line = x.rank() == 3;
    const Strides xs = logical_strides(x), ys = logical_strides(y);
    const auto of = [&](const Shape& list, size_t d, int64_t missing) {
      return line ? (d == 0 ? missing : list[0]) : list[d];
    };
    Sizes sizes;
    sizes.add("images", x.shape[0]);
    sizes.add("channels", x.shape[1]);
    sizes.add("height", line ? Dim(1) : x.shape[2]);
    sizes.add("width", x.shape.back());
    sizes.add("out_height", line ? Dim(1) : y.shape[2]);
    sizes.add("out_width", y.shape.back());
    const char* const axes[] = {"h", "w"};
    for (size_t d = 0; d < 2; ++d) {
      sizes.add(fmt::format("kernel_{}", axes[d]), of(moves.kernel, d, 1));
      sizes.add(fmt::format("stride_{}", axes[d]), of(moves.strides, d, 1));
      sizes.add(fmt::format("dilation_{}", axes[d]), of(moves.dilations, d, 1));
      sizes.add(fmt::format("pad_{}", axes[d]), of(moves.pads_begin, d, 0));
      sizes.add(fmt::format("pad_end_{}", axes[d]), of(moves.pads_end, d, 0));
    }
    const auto add_strides = [&](const char* prefix, const Strides& strides) {
      sizes.add(fmt::format("{}_image", prefix), strides[0]);
      sizes.add(fmt::format("{}_c", prefix), strides[1]);
      sizes.add(fmt::format("{}_h", prefix), line ? Dim(0) : strides[2]);
      sizes.add(fmt::format("{}_w", prefix), strides.back());
    };
    add_strides("a", xs);
    add_strides("y", ys);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string&,
                               const Arch&) const override {
    const int64_t items = ir::product(problem.output(0).shape).constant() / vector(written);
    Launch launch;
    launch.grid[0] = static_cast<unsigned>((items + 127) / 128);
    return {launch};
  }

 private:
  /// Channels that lie side by side and then apart, written one by one: few cost less so than another kernel.
  static constexpr int64_t most_scattered = 1 << 16;
  static bool scatters(const Problem& problem) {
    return problem.input(0).layout == ir::Layout::nhwc && problem.output(0).layout == ir::Layout::plain;
  }

  static int vector(const Problem& problem) {
    const ir::TensorType& x = problem.input(0);
    if (x.layout != ir::Layout::nhwc || !x.shape[1].is_constant()) return 1;
    int width = static_cast<int>(16 / dtype_bytes(x.dtype));
    while (x.shape[1].constant() % width || x.pitch % width || problem.output(0).pitch % width) width /= 2;
    return width;
  }

  static std::optional<ops::Window> window(const Problem& problem) {
    const ir::Node& node = problem.node(0);
    const ops::PoolAttributes& attributes =
        problem.single(ops::def::max_pool)
            ? static_cast<const ops::PoolAttributes&>(node.attributes.as<ops::MaxPoolAttributes>())
            : node.attributes.as<ops::AveragePoolAttributes>();
    std::vector<int64_t> input;
    for (size_t d = 2; d < problem.input(0).shape.size(); ++d) {
      const Dim& size = problem.input(0).shape[d];
      if (!size.is_constant() && attributes.auto_pad.starts_with("SAME")) return std::nullopt;
      input.push_back(size.is_constant() ? size.constant() : 1 << 20);
    }
    return ops::resolve_window(attributes, attributes.kernel_shape, input);
  }
};

}  // namespace

const device::Tactic& pool_tactic() {
  static const Pool tactic;
  return tactic;
}

}  // namespace burnish::cuda
