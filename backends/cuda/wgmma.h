// What matrix products and convolutions on Hopper's warpgroup instructions share: kernels/wgmma.cuh is the
// kernel of both, which differ in how the left operand's tiles come and whose rows they are.
#pragma once

#include "cuda/contraction.h"

namespace burnish::cuda {

/// How sums become results: kernels/wgmma_direct.cuh, kernels/wgmma_pooled.cuh, kernels/wgmma_exchange.cuh.
enum class WgmmaEnd { direct, pooled, exchange };

/// How the kernel cuts a problem.
struct WgmmaConfig {
  static constexpr int row_bytes = 128;  ///< of the inner dimension in one product of a stage
  static constexpr size_t most_shared = 225 << 10;

  int groups = 1, tile_n = 64;  ///< a tile has 64 rows for each warpgroup
  int stages = 4, split = 1;
  int share_m = 1, share_n = 1;  ///< blocks of a cluster that share a tile of the right, or the left operand
  int blocks = 0;        ///< of a grid whose blocks take one tile after the other; 0: one block a tile
  bool fetches = false;  ///< such blocks ask L2 for what their ring takes next
  bool leads = false;    ///< of two warpgroups of such a block, the first is ahead
  bool keeps = false;    ///< such a block keeps the right operand, which has one tile of columns
  /// The right operand is packed by pack_for_any_tile(): not of the id, but of the problem.
  bool any_tile = false;
  static constexpr int most_tile = 256;

  int tile_m() const { return 64 * groups; }
  /// Of tiles whose lines have so many pixels.
  WgmmaEnd end(const Contraction& contraction, int64_t line) const;
  /// Columns side by side of which a thread gets the sums: the order in which the right operand is packed.
  int neighbours(WgmmaEnd end) const { return any_tile || end == WgmmaEnd::exchange || tile_n % 32 ? 4 : 8; }
  int cluster() const { return split * share_m * share_n; }
  /// Whether blocks may stay, as kernels/wgmma_persistent.cuh has it, and a tile is worth that.
  bool may_stay() const {
    return groups >= 2 && split == 1 &&
           (tile_n == 128 || (groups == 2 && (tile_n == 64 || tile_n == 192 || tile_n == 256)));
  }
  /// Blocks that run at a time in whole clusters, one on a multiprocessor: an H100's 132 hold 66 clusters of
  /// two, but only 30 of four and 15 of eight.
  int places(int multiprocessors) const {
    return (cluster() > 2 ? multiprocessors * 10 / 11 : multiprocessors) / cluster() * cluster();
  }
  std::string id() const;
  /// What id() wrote, behind which more may follow. Throws Error naming `tactic` where it is none of its own.
  static WgmmaConfig parse(const std::string& id, std::string_view tactic);
};

/// What a block of a problem does, whatever its left operand is.
struct WgmmaWork {
  int64_t row_tiles = 1, column_tiles = 1, steps = 1;
  int taps = 1;  ///< products of 64 inner elements in one step, each with its own part of the right operand
  int64_t left_rows;  ///< of shared memory that the left operand takes in a stage

  int64_t blocks(const WgmmaConfig& config) const;  ///< of the grid: whole clusters
  size_t stage_bytes(const WgmmaConfig& config) const;
  size_t kept_bytes(const WgmmaConfig& config) const;  ///< of the right operand, which stays
  size_t shared_bytes(const WgmmaConfig& config) const;
  /// As many stages as fit, or false where none does or the configuration is of no use.
  bool choose_stages(WgmmaConfig& config, int multiprocessors) const;
  /// `config` with blocks that stay, in all ways that there are, where that is worth a trial.
  std::vector<WgmmaConfig> staying(const WgmmaConfig& config, int multiprocessors) const;
  /// Microseconds: waves of blocks, each bound by its products, its share of L2, or latency. Weights of the
  /// first wave come while the kernel before still runs. `least_step_us`: what else bounds a block's step.
  double estimate(const WgmmaConfig& config, int multiprocessors, double least_step_us = 0) const;
  /// The launch but for its map.
  Launch launch(const WgmmaConfig& config) const;

 private:
  /// The same for blocks that stay, fitted to an H100's times for products of BERT and ViT.
  double estimate_staying(const WgmmaConfig& config, double least_step_us) const;
};

/// Candidates as the tuner is to meet them, which tries the first eight: the two best plain ones, as what
/// nothing is measured for takes the very first, then six of the others.
std::vector<device::Candidate> offered(std::vector<device::Candidate> plain,
                                       std::vector<device::Candidate> staying);

/// f16 or bf16 in one product with a weight: what the kernel takes of any problem.
Support wgmma_supports(const device::Problem& problem, const Contraction& contraction);

/// The text of a warpgroup's product: void NAME(float (&d)[columns / 2], left, uint64_t right, bool add), d =
/// left * right
/// (+ d), 64 rows of left, 16 of the inner dimension. Left is a descriptor, or uint32_t (&)[4] in registers;
/// right is one, of rows of the inner dimension where `right_rows`, else of columns.
std::string warpgroup_product_text(const std::string& name, int columns, DType dtype, bool left_in_registers,
                                   bool right_rows);

/// The kernel's text, kernels/wgmma.cuh or kernels/wgmma_persistent.cuh; `left` defines LeftTile
/// (kernels/wgmma_rows.cuh says what it must offer). `steps`: of a tile.
std::string wgmma_source(const device::Problem& problem, const Contraction& contraction,
                         const WgmmaConfig& config, WgmmaEnd end, int64_t steps, const std::string& left);

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline bool is_multiple(const ir::Dim& value, int64_t of) {
  return value.is_constant() ? value.constant() % of == 0 : ir::mod(value, of).is(0);
}

}  // namespace burnish::cuda
