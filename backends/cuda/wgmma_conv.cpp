// Convolutions in one group, but for those that are matrix products, on Hopper's warpgroup instructions: an
// implicit matrix product whose left operand the copy engine gathers, box by box of the image
// (kernels/wgmma_window.cuh).
#include <algorithm>
#include <cstdio>

#include "cuda/contraction_tactic.h"
#include "cuda/tactics.h"
#include "cuda/wgmma.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;
using ir::Dim;

constexpr int64_t most_box = 256;            // of the copy engine, along each axis
constexpr int64_t most_scattered = 1 << 16;  // elements of a result that is written one by one

/// A configuration, and the box of output pixels that a tile's rows are: `box_h` lines of `box_w` pixels.
struct Config {
  WgmmaConfig base;
  int64_t box_w = 8, box_h = 8;

  std::string id() const { return fmt::format("{}.b{}x{}", base.id(), box_w, box_h); }
  static Config parse(const std::string& id) {
    Config c{WgmmaConfig::parse(id, "cuda.wgmma_conv")};
    int w = 0, h = 0;
    const size_t at = id.rfind(".b");
    require(at != std::string::npos && std::sscanf(id.c_str() + at, ".b%dx%d", &w, &h) == 2 && w > 0 &&
                h > 0 && w % 8 == 0 && w <= most_box && h <= most_box && w * h <= c.base.tile_m(),
            "'{}' is no candidate of cuda.wgmma_conv", id);
    c.box_w = w;
    c.box_h = h;
    return c;
  }
};

/// Rows of the window that share a step: windows that move by one line read most lines of a box again.
int taps_of(const Contraction& c) { return c.strides[0] == 1 ? static_cast<int>(c.kernel[0]) : 1; }

/// Lines of the input that a step loads of a box.
int64_t lines_of(const Contraction& c, const Config& config) { return config.box_h + taps_of(c) - 1; }

/// Of a tile; the same for images of any size.
int64_t steps_of(const Contraction& c) {
  return divide_up(c.channels.constant(), 64) * c.kernel[0] * c.kernel[1] / taps_of(c);
}

WgmmaWork work_of(const Contraction& c, const Config& config) {
  const int64_t images = c.images.constant(), across = divide_up(c.out_width.constant(), config.box_w),
                down = divide_up(c.out_height.constant(), config.box_h);
  const int taps = taps_of(c);
  return {images * across * down, divide_up(c.columns.constant(), config.base.tile_n), steps_of(c), taps,
          config.base.tile_m() + (taps - 1) * config.box_w};
}

/// The box of so many rows at most that covers the image by the fewest tiles, and then by the fewest bytes.
Config best_box(const Contraction& c, const WgmmaConfig& base) {
  Config best;
  std::pair<int64_t, int64_t> least = {INT64_MAX, 0};
  const int64_t width = c.out_width.constant(), height = c.out_height.constant(), rows = base.tile_m();
  for (int64_t w = 8; w <= std::min<int64_t>(rows, (width + 7) / 8 * 8); w += 8) {
    if (w * c.strides[1] > most_box) break;
    Config config{base, w, std::clamp<int64_t>(height, 1, std::min(rows / w, most_box / 2 - c.kernel[0]))};
    if (c.pooled && config.box_h % 2 && --config.box_h == 0) break;  // whole windows
    const int64_t tiles = divide_up(width, w) * divide_up(height, config.box_h);
    const std::pair cost = {tiles, (lines_of(c, config)) * w};
    if (cost < least) {
      least = cost;
      best = config;
    }
  }
  return best;
}

/// Microseconds that shared memory needs for a step: an instruction reads 64 rows and its columns, 32 bytes
/// each, at 128 bytes a clock of 1.7 GHz; what arrives, from L2 or from another block's copy, comes at 90
/// bytes a nanosecond.
double shared_memory_us(const WgmmaWork& work, const WgmmaConfig& config) {
  const double instructions = 4.0 * work.taps * config.groups, clocks = 16 + config.tile_n / 4.0;
  return std::max(instructions * clocks / 1.7e3, static_cast<double>(work.stage_bytes(config)) / 90e3);
}

class WgmmaConv : public ContractionTactic {
 public:
  std::string name() const override { return "cuda.wgmma_conv"; }
  bool takes_pitch() const override { return true; }
  std::string target(const Arch& arch) const override { return arch.all_features(); }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (device.arch != "sm_90") return Support::no("its instructions are sm_90a's");
    return ContractionTactic::supports(problem, device);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    std::vector<std::vector<ir::Layout>> found = {uniform_layouts(problem)[0]};
    const Problem at_opt = problem.at_opt();
    Contraction c;
    if (!Contraction::analyse(at_opt, c) || !c.conv) return found;
    c.take_pool(at_opt);
    if (c.pooled && ir::product(at_opt.output(0).shape).constant() <= most_scattered) {
      found.push_back(found[0]);  // before a flatten: so few cost less where they end than another kernel
      found.back().back() = ir::Layout::plain;
    }
    return found;
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Contraction c = contraction_of(any.at_opt());
    std::vector<Candidate> found, staying;
    for (int groups : {1, 2, 3, 4}) {
      const Config box = best_box(c, {groups});
      for (int tile_n : {32, 48, 64, 96, 128, 192, 256})
        for (int split : {1, 2, 4, 8}) {
          if (c.pooled && split == 8) continue;  // a window's pixels would lie in different blocks
          const bool wide = groups * tile_n > 512 || (tile_n > 32 && tile_n / 2 >= c.columns.constant());
          if (!wide) add_clusters(c, box, tile_n, split, gpu.multiprocessors, found, staying);
        }
    }
    found = offered(std::move(found), std::move(staying));
    constexpr size_t worth_offering = 24;  // the tuner tries fewer, tests all
    if (found.size() > worth_offering) found.resize(worth_offering);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    return wgmma_source(
        problem, c, config.base, config.base.end(c, config.box_w), steps_of(c),
        constants_text({{"BOX_W", config.box_w}, {"BOX_H", config.box_h}, {"TAPS", taps_of(c)}}) +
            kernel_text("wgmma_window"));
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    Sizes sizes;
    sizes.add("rows", c.rows);
    sizes.add("columns", c.columns);
    sizes.add("column_tiles", ir::ceil_div(c.columns, config.base.tile_n));
    sizes.add("channel_blocks", ir::ceil_div(c.channels, 64));
    sizes.add("images", c.images);
    sizes.add("out_height", c.out_height);
    sizes.add("out_width", c.out_width);
    sizes.add("boxes_down", ir::ceil_div(c.out_height, config.box_h));
    sizes.add("boxes_across", ir::ceil_div(c.out_width, config.box_w));
    sizes.add("row_tiles",
              c.images * ir::ceil_div(c.out_height, config.box_h) * ir::ceil_div(c.out_width, config.box_w));
    sizes.add("kernel_h", c.kernel[0]);
    sizes.add("kernel_w", c.kernel[1]);
    sizes.add("stride_h", c.strides[0]);
    sizes.add("stride_w", c.strides[1]);
    sizes.add("pad_h", c.pads[0]);
    sizes.add("pad_w", c.pads[1]);
    Epilogue(problem, c).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    if (c.total_rows.constant() == 0) return {};
    Launch launch = work_of(c, config).launch(config.base);
    const auto along = [](int64_t pixels, int64_t stride) { return static_cast<unsigned>(pixels * stride); };
    const unsigned step_w = static_cast<unsigned>(c.strides[1]), step_h = static_cast<unsigned>(c.strides[0]);
    launch.map =
        CopyMap{c.left,
                c.left_offset,
                c.dtype,
                {c.channels.constant(), c.width.constant(), c.height.constant(), c.images.constant()},
                strides_of(c),
                {along(config.box_w, step_w), along(lines_of(c, config), step_h), 1},
                {step_w, step_h, 1}};
    return {launch};
  }

  bool pack_alike(const Problem& problem, const std::string& one, const std::string& other) const override {
    const Config a = Config::parse(one), b = Config::parse(other);
    const Contraction c = contraction_of(problem);
    const auto neighbours = [&](const Config& config) {
      return config.base.neighbours(config.base.end(c, config.box_w));
    };
    return a.base.tile_n == b.base.tile_n && neighbours(a) == neighbours(b);
  }

  double modelled_us(const Problem& problem, const std::string& candidate, const Gpu& gpu) const override {
    const Config config = Config::parse(candidate);
    const WgmmaWork work = work_of(contraction_of(problem), config);
    return work.estimate(config.base, gpu.multiprocessors, shared_memory_us(work, config.base));
  }

 private:
  Support analyse(const Problem& problem, Contraction& c) const override {
    if (Support support = Contraction::analyse(problem, c); !support) return support;
    if (!c.conv) return Support::no("no convolution");
    c.take_pool(problem);
    if (Support support = wgmma_supports(problem, c); !support) return support;
    if (c.kernel[0] * c.kernel[1] * c.strides[0] * c.strides[1] == 1)
      return Support::no("a window of one pixel, at every pixel");
    for (int d = 0; d < 2; ++d) {
      if (c.dilations[d] != 1) return Support::no("a dilated window");
      if (c.strides[d] > 2) return Support::no("a stride of more than two pixels");
      if (c.kernel[d] > 16) return Support::no("a window of more than 16 pixels");
    }
    const bool pieces = c.left_c.is(1) && is_multiple(c.left_w, 8) && is_multiple(c.left_h, 8) &&
                        is_multiple(c.left_image, 8);
    if (!pieces || !is_multiple(c.channels, 8) || c.channels.constant() < 16)
      return Support::no("channels that do not lie side by side in whole 16-byte pieces, two at least");
    return Support::yes();
  }

  Tensor pack_right(const Contraction& c, const std::string& candidate, const Tensor& weight) const override {
    const Config config = Config::parse(candidate);
    const int neighbours = config.base.neighbours(config.base.end(c, config.box_w));
    return pack_window_tiles(c, config.base.tile_n, taps_of(c), weight, neighbours);
  }

  /// The two best ways to share operands of these tiles: the model tells tiles apart better than it does
  /// those.
  static void add_clusters(const Contraction& c, Config config, int tile_n, int split, int multiprocessors,
                           std::vector<Candidate>& into, std::vector<Candidate>& into_staying) {
    std::vector<Candidate> found, staying;
    for (auto [share_m, share_n] : {std::pair{1, 1}, {2, 1}, {4, 1}, {1, 2}, {1, 4}, {2, 2}}) {
      config.base = {config.base.groups, tile_n, 1, split, share_m, share_n};
      const WgmmaWork work = work_of(c, config);
      const int64_t m = work.row_tiles, n = work.column_tiles;
      if (share_m > m || share_n > n || config.base.cluster() > 8) continue;
      if (split > 1 && (work.steps < split || m * n * split > 2 * multiprocessors)) continue;
      const auto offer = [&](std::vector<Candidate>& list) {
        work.choose_stages(config.base, multiprocessors);
        while (config.base.stages > 1 && work.shared_bytes(config.base) > WgmmaConfig::most_shared)
          --config.base.stages;  // stages are large here: room for a split's sums costs one
        if (work.shared_bytes(config.base) > WgmmaConfig::most_shared) return;
        list.push_back(
            {config.id(), work.estimate(config.base, multiprocessors, shared_memory_us(work, config.base))});
      };
      offer(found);
      if (config.base.end(c, config.box_w) == WgmmaEnd::exchange) continue;
      for (const WgmmaConfig& way : work.staying(config.base, multiprocessors)) {
        config.base = way;
        offer(staying);
      }
    }
    const auto add_best = [](std::vector<Candidate>& best, std::vector<Candidate>& to, std::ptrdiff_t most) {
      sort_by_estimate(best);
      to.insert(to.end(), best.begin(), best.begin() + std::min(most, std::ssize(best)));
    };
    add_best(found, into, 2);
    add_best(staying, into_staying, 4);
  }
  /// Of pixels, lines and images, in elements. An axis of one element may have any: it takes a valid one.
  static std::vector<int64_t> strides_of(const Contraction& c) {
    const int64_t w = c.left_w.constant();
    const int64_t h = c.height.is(1) ? w * c.width.constant() : c.left_h.constant();
    return {w, h, c.images.is(1) ? h * c.height.constant() : c.left_image.constant()};
  }
};

}  // namespace

const device::Tactic& wgmma_conv_tactic() {
  static const WgmmaConv tactic;
  return tactic;
}

}  // namespace burnish::cuda
