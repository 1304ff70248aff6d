// Convolutions of images of few channels, a network's first, by kernels/stem.cuh.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/contraction_tactic.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

constexpr int64_t most_channels = 4, most_window = 12, most_stride = 4, most_shared = 96 << 10;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A tile of output pixels and channels.
struct Config {
  int height = 8, width = 8, columns = 64;

  std::string id() const { return fmt::format("{}x{}.n{}", height, width, columns); }
  static Config parse(const std::string& id) {
    Config c;
    const bool read = std::sscanf(id.c_str(), "%dx%d.n%d", &c.height, &c.width, &c.columns) == 3;
    const auto within = [](int value, int least, int most) { return value >= least && value <= most; };
    require(read && within(c.height, 1, 64) && within(c.width, 1, 64) && c.height * c.width % 64 == 0 &&
                c.height * c.width <= 256 && (c.columns == 32 || c.columns == 64),
            "'{}' is no candidate of cuda.stem", id);
    return c;
  }
};

/// What a block keeps in shared memory, as the kernel's text has it.
struct Shared {
  int64_t steps, weights, pixels, sums;

  Shared(const Contraction& c, const Config& config) {
    const int64_t row_pairs = divide_up(c.kernel[1], 2), channels = c.channels.constant();
    steps = divide_up(channels * c.kernel[0] * row_pairs, 8);
    weights = steps * config.columns * 32;
    const int64_t lines = (config.height - 1) * c.strides[0] + c.kernel[0],
                  line = (config.width - 1) * c.strides[1] + 2 * row_pairs;
    pixels = channels * lines * divide_up(line, 2) * 2 * (c.strides[1] % 2 == 0 ? 1 : 2) * 2;
    sums = config.height * config.width * (config.columns + 4) * 4;
  }
  int64_t bytes() const { return std::max(weights + steps * 64 + pixels, sums); }
};

class Stem : public ContractionTactic {
 public:
  std::string name() const override { return "cuda.stem"; }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    Contraction contraction;
    if (!analyse(problem, contraction)) return {};
    std::vector<ir::Layout> set = uniform_layouts(problem)[0];
    set[static_cast<size_t>(contraction.left)] = ir::Layout::plain;  // the caller's
    return {set};
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Contraction c = contraction_of(any.at_opt());
    const int columns = c.columns.constant() <= 32 ? 32 : 64;
    std::vector<Candidate> found;
    for (const auto& [height, width] : {std::pair{8, 16}, {8, 8}, {4, 16}, {16, 16}}) {
      const Config config{height, width, columns};
      if (Shared(c, config).bytes() > most_shared) continue;
      found.push_back({config.id(), estimate(c, config, gpu.multiprocessors)});
    }
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    const Epilogue epilogue(problem, c);
    return fmt::format("using Element = {};\n", memory_type(c.dtype)) +
           constants_text({{"CHANNELS", c.channels.constant()},
                           {"TILE_H", config.height},
                           {"TILE_W", config.width},
                           {"TILE_N", config.columns}}) +
           fmt::format(
               "BURNISH_DEVICE const Element* input(const Operands& p) {{ return p.x{}; }}\n"
               "BURNISH_DEVICE const char* weights(const Operands& p) {{ return static_cast<const "
               "char*>(p.c{}); }}\n",
               c.left, weight_order(problem, c.right)) +
           epilogue.text() + epilogue.fetch_text() + "}\n" + kernel_text("tensor_core") +
           "namespace burnish {\n" + kernel_text("stem");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    Sizes sizes;
    sizes.add("rows", c.rows);
    sizes.add("columns", c.columns);
    sizes.add("images", c.images);
    sizes.add("height", c.height);
    sizes.add("width", c.width);
    sizes.add("out_height", c.out_height);
    sizes.add("out_width", c.out_width);
    sizes.add("tiles_down", ir::ceil_div(c.out_height, config.height));
    sizes.add("tiles_across", ir::ceil_div(c.out_width, config.width));
    sizes.add("kernel_h", c.kernel[0]);
    sizes.add("kernel_w", c.kernel[1]);
    sizes.add("stride_h", c.strides[0]);
    sizes.add("stride_w", c.strides[1]);
    sizes.add("pad_h", c.pads[0]);
    sizes.add("pad_w", c.pads[1]);
    sizes.add("a_image", c.left_image);
    sizes.add("a_c", c.left_c);
    sizes.add("a_h", c.left_h);
    sizes.add("a_w", c.left_w);
    Epilogue(problem, c).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    Launch launch;
    launch.grid = {static_cast<unsigned>(tiles(c, config)),
                   static_cast<unsigned>(divide_up(c.columns.constant(), config.columns)), 1};
    launch.threads = 128;
    launch.shared_bytes = static_cast<size_t>(Shared(c, config).bytes());
    return {launch};
  }

 private:
  Support analyse(const Problem& problem, Contraction& c) const override {
    if (Support support = Contraction::analyse(problem, c); !support) return support;
    if (!c.conv || c.groups > 1) return Support::no("no convolution in one group");
    if (c.dtype != DType::f16 && c.dtype != DType::bf16) return Support::no("it takes f16 and bf16");
    if (!c.channels.is_constant() || c.channels.constant() > most_channels)
      return Support::no("more than {} channels", most_channels);
    if (!c.columns.is_constant() || problem.is_weight(c.left)) return Support::no("no image, or no filters");
    for (int d = 0; d < 2; ++d)
      if (c.dilations[d] != 1 || c.kernel[d] > most_window || c.strides[d] > most_stride)
        return Support::no("a window that is dilated, large, or moves far");
    return Support::yes();
  }

  /// [column tile][inner step][16 columns][lane][two eights][two pairs]: lane l has column l / 4 of an eight,
  /// and the pairs l % 4 and l % 4 + 4 of the step.
  Tensor pack_right(const Contraction& c, const std::string& candidate, const Tensor& weight) const override {
    return pack_pair_tiles(c, Config::parse(candidate).columns, weight);
  }

  static int64_t tiles(const Contraction& c, const Config& config) {
    return c.images.constant() * divide_up(c.out_height.constant(), config.height) *
           divide_up(c.out_width.constant(), config.width);
  }

  /// Microseconds: waves of blocks, each of which copies its pixels, multiplies, and writes its tile.
  static double estimate(const Contraction& c, const Config& config, int multiprocessors) {
    const Shared shared(c, config);
    const double blocks =
                     static_cast<double>(tiles(c, config) * divide_up(c.columns.constant(), config.columns)),
                 resident = std::clamp(std::floor(220e3 / static_cast<double>(shared.bytes())), 1.0, 8.0),
                 pixels = config.height * config.width;
    const double each = 0.004 * static_cast<double>(shared.pixels) / 128 +
                        static_cast<double>(shared.steps) * pixels * config.columns / 4e6 +
                        pixels * config.columns * 8 / 60e3;
    return 2.2 + 0.6 * std::ceil(blocks / (multiprocessors * resident)) +
           each * std::ceil(blocks / multiprocessors);
  }
};

}  // namespace

const device::Tactic& stem_tactic() {
  static const Stem tactic;
  return tactic;
}

}  // namespace burnish::cuda
