// Attention on Hopper's warpgroup instructions: over as many keys as a warpgroup holds the scores of by
// kernels/wgmma_attention.cuh, over any number by kernels/wgmma_attention_steps.cuh.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/attention.h"
#include "cuda/tactics.h"
#include "cuda/wgmma.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

constexpr int64_t most_keys = 256, most_depth = 128, slab = 64, warpgroup = 128;

/// A block takes `tiles` tiles of 64 queries, one after the other, with all keys; or, with `keys` in a step,
/// one tile of 64 queries for each of its `groups` warpgroups.
struct Config {
  int tiles = 1, groups = 1, keys = 0;

  bool in_steps() const { return keys > 0; }
  int64_t queries() const { return slab * groups * tiles; }
  std::string id() const {
    return in_steps() ? fmt::format("q{}.k{}", slab * groups, keys) : fmt::format("q{}.t{}", slab, tiles);
  }
  static Config parse(const std::string& id) {
    Config c;
    int queries = 0;
    if (std::sscanf(id.c_str(), "q64.t%d", &c.tiles) == 1 && c.tiles >= 1) return c;
    c.tiles = 1;
    const bool read = std::sscanf(id.c_str(), "q%d.k%d", &queries, &c.keys) == 2;
    c.groups = queries / static_cast<int>(slab);
    require(read && c.groups >= 1 && c.groups <= 2 && (c.keys == 64 || c.keys == 128),
            "'{}' is no candidate of cuda.wgmma_attention", id);
    return c;
  }
};

/// Of one product's scores.
int64_t padded_keys(const Attention& a, const Config& config) {
  return config.in_steps() ? config.keys : divide_up(a.keys.constant(), 16) * 16;
}

/// Queries, keys and values (of two steps): rows of 128 bytes for every 64 columns, 1024 bytes to begin at a
/// multiple of that.
int64_t shared_bytes(const Attention& a, const Config& config) {
  const int64_t parts = divide_up(a.depth, 64), parts_v = divide_up(a.depth_v, 64);
  const int64_t stages = config.in_steps() ? 2 : 1;
  return 1024 + 128 * (slab * config.groups * parts + stages * padded_keys(a, config) * (parts + parts_v));
}

/// Blocks that a multiprocessor holds: 64 Ki registers, of which a thread's scores take half a key each and
/// what it sums up half a column.
int64_t resident_blocks(const Attention& a, const Config& config) {
  const int64_t keys = padded_keys(a, config), sums = a.depth_v / 2;
  const int64_t registers =
      config.in_steps() ? keys / 2 + sums + 44 : std::max(keys / 2, keys / 4 + sums) + 56;
  const int64_t fit = std::min(65536 / (warpgroup * config.groups * registers),
                               (227 << 10) / (shared_bytes(a, config) + 1024));
  return std::clamp<int64_t>(fit, 1, 8);
}

/// Microseconds: memory's share, or the blocks' waves. A block that is alone on its multiprocessor waits for
/// its loads and products; several hide each other's, and share the units.
double estimate(const Attention& a, const Config& config, int multiprocessors) {
  const double heads = static_cast<double>(a.heads.constant() * a.batch.constant());
  const double all = static_cast<double>(a.keys.constant());
  const double queries = static_cast<double>(a.queries.constant()),
               keys = static_cast<double>(padded_keys(a, config)),
               depth = static_cast<double>(a.depth + a.depth_v);
  const double blocks = heads * std::ceil(queries / static_cast<double>(config.queries()));
  const double resident =
      std::min(static_cast<double>(resident_blocks(a, config)), std::ceil(blocks / multiprocessors));
  const double waves = std::ceil(blocks / (multiprocessors * resident));
  const double steps = config.in_steps() ? std::ceil(std::max(all, 1.0) / keys) : 1;
  const double loads = (keys + static_cast<double>(config.queries())) * depth * 2 / 100e3;
  const double products = 0.0066 * keys * config.tiles * config.groups;
  const double alone = config.in_steps() ? loads + steps * (0.45 + 0.0055 * keys)
                                         : loads + config.tiles * (0.3 + 0.0055 * keys);
  const double together = steps * std::max(loads, products) * resident;
  const double memory = heads * (queries + all) * depth * 2 / 2.6e6;
  return 0.8 + std::max(memory, waves * std::max(alone, together));
}

class WgmmaAttention : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.wgmma_attention"; }
  std::string target(const Arch& arch) const override { return arch.all_features(); }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (device.arch != "sm_90") return Support::no("its instructions are sm_90a's");
    Attention a;
    if (Support support = Attention::analyse(problem, a); !support) return support;
    if (a.dtype != DType::f16 && a.dtype != DType::bf16) return Support::no("it takes f16 and bf16");
    if (a.depth % 16 || a.depth_v % 32 || a.depth > most_depth || a.depth_v > most_depth)
      return Support::no("heads of no 16 and 32 elements, or of more than {}", most_depth);
    for (const auto& [operand, row] :
         {std::pair{&a.q, a.depth}, {&a.k, a.depth}, {&a.v, a.depth_v}, {&a.y, a.depth_v}})
      if (!operand->in_pieces(row, 8)) return Support::no("rows of no whole 16-byte pieces");
    return Support::yes();
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const ir::Dim written = Attention::of(any).keys;
    const Attention a = Attention::of(any.at_opt());
    const int64_t slabs = divide_up(std::max<int64_t>(a.queries.constant(), 1), slab);
    std::vector<Candidate> found;
    const auto offer = [&](const Config& config) {
      found.push_back({config.id(), estimate(a, config, gpu.multiprocessors)});
    };
    if (written.is_constant() && written.constant() >= 1 && written.constant() <= most_keys)
      for (int tiles : {1, 2, 4})
        if (tiles == 1 || tiles / 2 < slabs) offer({tiles, 1, 0});
    for (int groups : {1, 2})
      for (int keys : {64, 128})
        if (groups <= slabs && (keys == 64 || a.keys.constant() > 64)) offer({1, groups, keys});
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Attention a = Attention::of(problem);
    const Config config = Config::parse(candidate);
    const int64_t keys = padded_keys(a, config);
    const auto product = [&](const char* name, int64_t columns, bool by_values) {
      return warpgroup_product_text(name, static_cast<int>(columns), a.dtype, by_values, by_values);
    };
    return a.text(problem) +
           constants_text({{"GROUPS", config.groups},
                           {"KEYS", keys},
                           {"DEPTH", a.depth},
                           {"DEPTH_V", a.depth_v},
                           {"TILES", config.tiles},
                           {"MASK_BY_KEY", a.mask.strides[2].is(0)},
                           {"BLOCKS", resident_blocks(a, config)}}) +
           "}\n#define BURNISH_WGMMA\n" + kernel_text("tensor_core") + product("score", keys, false) +
           product("weigh", a.depth_v, true) + "namespace burnish {\n" +
           kernel_text("wgmma_attention_parts") +
           kernel_text(config.in_steps() ? "wgmma_attention_steps" : "wgmma_attention");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Attention a = Attention::of(problem);
    Sizes sizes;
    a.add_sizes(sizes);
    sizes.add("query_blocks", ir::ceil_div(a.queries, Config::parse(candidate).queries()));
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const Attention a = Attention::of(problem);
    const Config config = Config::parse(candidate);
    const int64_t blocks =
        divide_up(a.queries.constant(), config.queries()) * a.heads.constant() * a.batch.constant();
    if (blocks == 0) return {};
    require(blocks <= INT32_MAX, "attention over {} blocks has no CUDA kernel", blocks);
    Launch launch;
    launch.grid[0] = static_cast<unsigned>(blocks);
    launch.threads = static_cast<unsigned>(warpgroup * config.groups);
    launch.shared_bytes = static_cast<size_t>(shared_bytes(a, config));
    return {launch};
  }

  /// There is nothing to pack but the mask, as it is; but where the number of keys is open, no kernel can
  /// hold all.
  bool pack_alike(const Problem& problem, const std::string& one, const std::string& other) const override {
    const bool open = !Attention::of(problem).keys.is_constant();
    return !open || (Config::parse(one).in_steps() && Config::parse(other).in_steps());
  }

  double modelled_us(const Problem& problem, const std::string& candidate, const Gpu& gpu) const override {
    return estimate(Attention::of(problem), Config::parse(candidate), gpu.multiprocessors);
  }
};

}  // namespace

const device::Tactic& wgmma_attention_tactic() {
  static const WgmmaAttention tactic;
  return tactic;
}

}  // namespace burnish::cuda
