// Depthwise convolution in nhwc with any pointwise body: by threads that read what they need
// (kernels/depthwise.cuh), or by tiles in shared memory (kernels/depthwise_tile.cuh).
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/dispatch.h"
#include "cuda/contraction_tactic.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

/// A tile of `rows` x `columns` output pixels and `channels` channels, of which a thread makes `pixels`
/// neighbouring pixels of `vector` channels. Without channels it is a thread alone, with as many channels as
/// fit an access.
struct Config {
  int channels = 0, vector = 0, pixels = 1, rows = 1, columns = 1;

  bool tiled() const { return channels > 0; }
  int threads() const { return tiled() ? channels / vector * rows * (columns / pixels) : 128; }
  std::string id() const {
    return tiled() ? fmt::format("c{}.v{}.p{}.h{}.w{}", channels, vector, pixels, rows, columns)
                   : fmt::format("wide{}", pixels);
  }
  static Config parse(const std::string& id);
};

Config Config::parse(const std::string& id) {
  Config config;
  const bool known = std::sscanf(id.c_str(), "wide%d", &config.pixels) == 1 ||
                     std::sscanf(id.c_str(), "c%d.v%d.p%d.h%d.w%d", &config.channels, &config.vector,
                                 &config.pixels, &config.rows, &config.columns) == 5;
  require(known && config.id() == id, "'{}' is no candidate of cuda.depthwise", id);
  return config;
}

/// Input pixels of a tile along an axis (0: rows).
int64_t seen(const Contraction& c, const Config& config, int axis) {
  const int64_t made = axis == 0 ? config.rows : config.columns;
  return (made - 1) * c.strides[axis] + (c.kernel[axis] - 1) * c.dilations[axis] + 1;
}

/// Bytes of shared memory, as kernels/depthwise_tile.cuh declares it.
int64_t shared_bytes(const Contraction& c, const Config& config) {
  const int64_t columns = seen(c, config, 1), run = config.pixels * c.strides[1];
  const int64_t pitch = columns + (run % 2 == 0 ? (columns - 1) / run : 0);
  return config.channels *
         (seen(c, config, 0) * pitch * dtype_bytes(c.dtype) + c.kernel[0] * c.kernel[1] * 4);
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Blocks of the grid, for sizes that are numbers.
int64_t blocks(const Contraction& c, const Config& config) {
  return ceil_div(c.groups, config.channels) * ceil_div(c.out_height.constant(), config.rows) *
         ceil_div(c.out_width.constant(), config.columns) * c.images.constant();
}

/// Microseconds: start and end, the wait for the tile, what a multiprocessor reads, and the instructions of
/// its threads; for many pixels the memory's time.
double estimate(const Contraction& c, const Config& config, int multiprocessors) {
  const double bytes = static_cast<double>(c.groups * (c.images * (c.height * c.width + c.rows)).constant() *
                                           dtype_bytes(c.dtype));
  const auto each = static_cast<double>(ceil_div(blocks(c, config), multiprocessors));
  const int64_t reach = (config.pixels - 1) * c.strides[1] + (c.kernel[1] - 1) * c.dilations[1] + 1;
  const int64_t widening = dtype_bytes(c.dtype) == 4 ? 0 : config.vector;
  const double instructions = static_cast<double>(
      c.kernel[0] * (reach * (1 + widening) + c.kernel[1] * (2 + config.pixels * config.vector)) +
      config.pixels * config.vector * 6 + 60);
  const double warps = each * static_cast<double>(ceil_div(config.threads(), 32));  // of a multiprocessor
  const double computing = instructions * std::max(std::ceil(warps / 4) * 1.1, 2.0) / 1700;
  const auto segment = static_cast<double>(config.channels * dtype_bytes(c.dtype));
  const double sectors = segment >= 64 ? 1 : segment >= 32 ? 1.1 : 2;  // what is read beside what is wanted
  const double reading =
      each * sectors * static_cast<double>(seen(c, config, 0) * seen(c, config, 1)) * segment / 60e3;
  return 1.0 + 0.02 * each + std::max(0.6 + reading + computing, sectors * bytes / 2.6e6);
}

class Depthwise : public ContractionTactic {
 public:
  std::string name() const override { return "cuda.depthwise"; }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return {uniform_layouts(problem)[0]};
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Problem problem = any.at_opt();
    const Contraction c = contraction_of(problem);
    std::vector<Candidate> found = tiles(problem, c, gpu);
    const double bytes = static_cast<double>(c.groups * c.images.constant() *
                                             (c.height * c.width + c.rows).constant() * dtype_bytes(c.dtype));
    const double us =
        1.4 + 0.5 * static_cast<double>(c.kernel[0] * c.kernel[1] <= 9 ? 1 : c.kernel[0]) + bytes / 2e6;
    // Few pixels want many threads, many pixels want each read once.
    const bool many = c.total_rows.constant() * c.groups > 1 << 19;
    for (int wide : {many ? 4 : 1, 2}) found.push_back({Config{.pixels = wide}.id(), us});
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Contraction c = contraction_of(problem);
    const Config config = Config::parse(candidate);
    const std::string constants = config.tiled() ? constants_text({{"CHANNELS", config.channels},
                                                                   {"PIXELS", config.pixels},
                                                                   {"ROWS", config.rows},
                                                                   {"COLUMNS", config.columns},
                                                                   {"THREADS", config.threads()}})
                                                 : constants_text({{"WIDE", config.pixels}});
    const std::string copies =
        config.tiled() ? "}\n" + kernel_text("tensor_core") + "namespace burnish {\n" : "";
    return copies + fmt::format("using Element = {};\n", memory_type(c.dtype)) + constants +
           fmt::format("BURNISH_DEVICE const Element* input(const Operands& p) {{ return p.x{}; }}\n",
                       c.left) +
           fmt::format(
               "BURNISH_DEVICE const Element* weights(const Operands& p) {{ return static_cast<const "
               "Element*>(p.c{}); }}\n",
               weight_order(problem, c.right)) +
           Epilogue(problem, c, most_vector(config)).text() +
           kernel_text(config.tiled() ? "depthwise_tile" : "depthwise");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Contraction c = contraction_of(problem);
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
    const Contraction c = contraction_of(problem), text = contraction_of(written);
    const Config config = Config::parse(candidate);
    Launch launch;
    launch.threads = static_cast<unsigned>(config.threads());
    if (config.tiled()) {
      launch.grid[0] = static_cast<unsigned>(blocks(c, config));
      return {launch};
    }
    const int64_t items = c.groups / Epilogue(written, text).vector() *
                          ceil_div(c.out_width.constant(), config.pixels) *
                          (c.images * c.out_height).constant();
    launch.grid[0] = static_cast<unsigned>(ceil_div(items, launch.threads));
    return {launch};
  }

 private:
  /// All channels are columns.
  Support analyse(const Problem& problem, Contraction& c) const override {
    if (Support support = Contraction::analyse(problem, c); !support) return support;
    if (!c.conv || c.phases || !c.channels.is(1) || !c.columns.is(1)) return Support::no("not depthwise");
    if (!c.right_is_weight(problem)) return Support::no("its weights are not known at build");
    if (!is_floating(c.dtype) || c.dtype == DType::f64) return Support::no("it takes f32, f16 and bf16");
    if (problem.input(c.left).layout != ir::Layout::nhwc) return Support::no("it takes nhwc");
    c.columns = c.groups;
    return Support::yes();
  }

  /// [kernel row][kernel column][channel].
  Tensor pack_right(const Contraction& c, const std::string&, const Tensor& weight) const override {
    const int64_t positions = c.kernel[0] * c.kernel[1];
    Tensor packed(weight.dtype(), {positions, c.groups});
    dispatch_bytes(weight.dtype(), [&]<class T>(Type<T>) {
      for (int64_t channel = 0; channel < c.groups; ++channel)
        for (int64_t i = 0; i < positions; ++i)
          static_cast<T*>(packed.raw())[i * c.groups + channel] =
              static_cast<const T*>(weight.raw())[channel * positions + i];
    });
    return packed;
  }

  static int most_vector(const Config& config) { return config.tiled() ? config.vector : 16; }

  /// The few tilings that promise most, of different channels.
  static std::vector<Candidate> tiles(const Problem& problem, const Contraction& c, const Gpu& gpu) {
    const int64_t chunk = 16 / dtype_bytes(c.dtype);
    if (c.groups % chunk != 0) return {};  // copies are of 16 bytes
    std::vector<Candidate> found;
    for (int vector : {2, 4})
      for (int channels : {8, 16, 32, 64})
        if (Epilogue(problem, c, vector).vector() == vector && channels < 2 * c.groups)
          if (auto best = best_tile(c, channels, vector, gpu)) found.push_back(std::move(*best));
    sort_by_estimate(found);
    if (found.size() > most_tiles) found.resize(most_tiles);
    return found;
  }
  static std::optional<Candidate> best_tile(const Contraction& c, int channels, int vector, const Gpu& gpu) {
    std::optional<Candidate> best;
    for (int pixels : {1, 2, 4, 7})
      for (int rows : {1, 2, 4, 7, 8, 14})
        for (int columns : {7, 8, 14, 16, 28}) {
          const Config config{channels, vector, pixels, rows, columns};
          if (columns % pixels != 0 || config.threads() < 64 || config.threads() > 512) continue;
          if (shared_bytes(c, config) > 48 << 10) continue;
          const double us = estimate(c, config, gpu.multiprocessors);
          if (!best || us < best->estimate_us) best = Candidate{config.id(), us};
        }
    return best;
  }
  static constexpr size_t most_tiles = 5;
};

}  // namespace

const device::Tactic& depthwise_tactic() {
  static const Depthwise tactic;
  return tactic;
}

}  // namespace burnish::cuda
