// Matrix products, and convolutions that are such, on Hopper's warpgroup instructions.
#include <algorithm>

#include "cuda/contraction_tactic.h"
#include "cuda/tactics.h"
#include "cuda/wgmma.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

WgmmaWork work_of(const Contraction& c, const WgmmaConfig& config) {
  return {divide_up(c.total_rows.constant(), config.tile_m()), divide_up(c.columns.constant(), config.tile_n),
          divide_up(c.inner.constant(), 64), 1, config.tile_m()};
}

class WgmmaProduct : public ContractionTactic {
 public:
  std::string name() const override { return "cuda.wgmma"; }
  bool takes_pitch() const override { return true; }
  std::string target(const Arch& arch) const override { return arch.all_features(); }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (device.arch != "sm_90") return Support::no("its instructions are sm_90a's");
    return ContractionTactic::supports(problem, device);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    auto sets = uniform_layouts(problem);
    Contraction contraction;
    if (!Contraction::analyse(problem, contraction) || !contraction.conv)
      return {std::vector<ir::Layout>(sets[0].size(), ir::Layout::plain)};
    return {sets[0]};
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Contraction c = contraction_of(any.at_opt());
    const int64_t rows = c.total_rows.constant(), columns = c.columns.constant();
    std::vector<Candidate> found, staying;
    for (int groups : {1, 2})
      for (int tile_n : {32, 48, 64, 96, 128, 192, 256})
        for (int split : {1, 2, 4, 8})
          for (auto [share_m, share_n] : {std::pair{1, 1}, {2, 1}, {1, 2}, {1, 4}}) {
            const WgmmaConfig config{groups, tile_n, 1, split, share_m, share_n};
            const WgmmaWork work = work_of(c, config);
            const int64_t m = work.row_tiles, n = work.column_tiles;
            if ((groups > 1 && rows <= 64) || (tile_n > 32 && tile_n / 2 >= columns)) continue;
            if (share_m > m || share_n > n || config.cluster() > 8) continue;
            if (split > 1 && (work.steps < 2 * split || m * n * split > 2 * gpu.multiprocessors)) continue;
            const auto offer = [&](std::vector<Candidate>& list, WgmmaConfig way) {
              if (work.choose_stages(way, gpu.multiprocessors))
                list.push_back({way.id(), work.estimate(way, gpu.multiprocessors)});
            };
            offer(found, config);
            for (const WgmmaConfig& way : work.staying(config, gpu.multiprocessors)) offer(staying, way);
          }
    return offered(std::move(found), std::move(staying));
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Contraction c = contraction_of(problem);
    const WgmmaConfig config = config_of(c, candidate);
    const int64_t steps = c.inner.is_constant() ? divide_up(c.inner.constant(), 64) : 0;
    return wgmma_source(problem, c, config, config.end(c, 0), steps, kernel_text("wgmma_rows"));
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Contraction c = contraction_of(problem);
    Sizes sizes;
    sizes.add_at_launch("rows", c.rows);
    sizes.add_at_launch("total_rows", c.total_rows);
    sizes.add("columns", c.columns);
    sizes.add_at_launch("inner", c.inner);
    const WgmmaConfig config = WgmmaConfig::parse(candidate, name());
    sizes.add_at_launch("row_tiles", ir::ceil_div(c.total_rows, config.tile_m()));
    sizes.add("column_tiles", ir::ceil_div(c.columns, config.tile_n));
    Epilogue(problem, c).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const WgmmaConfig config = WgmmaConfig::parse(candidate, name());
    const Contraction c = contraction_of(problem);
    const int64_t rows = c.total_rows.constant(), inner = c.inner.constant();
    if (rows == 0) return {};
    Launch launch = work_of(c, config).launch(config);
    const int64_t step = c.row_step()->constant();
    const unsigned slice = static_cast<unsigned>(config.tile_m() / config.share_n);
    launch.map = CopyMap{c.left, c.left_offset, c.dtype, {inner, rows}, {step}, {slice}, {1}};
    return {launch};
  }

  bool pack_alike(const Problem& problem, const std::string& one, const std::string& other) const override {
    const Contraction c = contraction_of(problem);
    const WgmmaConfig a = config_of(c, one), b = config_of(c, other);
    return (a.any_tile || a.tile_n == b.tile_n) && a.neighbours(a.end(c, 0)) == b.neighbours(b.end(c, 0));
  }

  double modelled_us(const Problem& problem, const std::string& candidate, const Gpu& gpu) const override {
    const WgmmaConfig config = WgmmaConfig::parse(candidate, name());
    return work_of(contraction_of(problem), config).estimate(config, gpu.multiprocessors);
  }

 private:
  /// Where the number of rows is open, kernels with tiles of other widths are for other sizes: all take the
  /// same packed weights.
  WgmmaConfig config_of(const Contraction& c, const std::string& candidate) const {
    WgmmaConfig config = WgmmaConfig::parse(candidate, name());
    config.any_tile = !c.total_rows.is_constant() && !c.pooled;
    return config;
  }

  /// Rows of the left operand lie at one distance from each other.
  Support analyse(const Problem& problem, Contraction& c) const override {
    if (Support support = Contraction::analyse(problem, c); !support) return support;
    if (Support support = wgmma_supports(problem, c); !support) return support;
    if (const auto step = c.row_step(); !step || !is_multiple(*step, 8))
      return Support::no("rows that do not lie at one distance, in whole 16-byte pieces");
    if (!c.inner.is_constant() || !is_multiple(c.inner, 8))
      return Support::no("rows of no whole 16-byte pieces");
    return Support::yes();
  }

  Tensor pack_right(const Contraction& c, const std::string& candidate, const Tensor& weight) const override {
    const WgmmaConfig config = config_of(c, candidate);
    if (config.any_tile) return pack_for_any_tile(c, WgmmaConfig::most_tile, weight);
    return pack_tiles(c, config.tile_n, weight, config.neighbours(config.end(c, 0)));
  }
};

}  // namespace

const device::Tactic& wgmma_tactic() {
  static const WgmmaProduct tactic;
  return tactic;
}

}  // namespace burnish::cuda
