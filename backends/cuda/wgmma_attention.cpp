// Attention over as many keys as a warpgroup holds the scores of, by kernels/wgmma_attention.cuh.
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

constexpr int64_t most_keys = 256, most_depth = 128, tile = 64, warpgroup = 128;

/// How many tiles of 64 queries a block takes, one after the other.
struct Config {
  int tiles = 1;

  std::string id() const { return fmt::format("q64.t{}", tiles); }
  static Config parse(const std::string& id) {
    Config c;
    require(std::sscanf(id.c_str(), "q64.t%d", &c.tiles) == 1 && c.tiles >= 1,
            "'{}' is no candidate of cuda.wgmma_attention", id);
    return c;
  }
};

int64_t padded_keys(const Attention& a) { return divide_up(a.keys.constant(), 16) * 16; }

/// Queries, keys and values: rows of 128 bytes for every 64 columns, 1024 bytes to begin at a multiple of
/// that.
int64_t shared_bytes(const Attention& a) {
  const int64_t parts = divide_up(a.depth, 64), parts_v = divide_up(a.depth_v, 64);
  return 1024 + 128 * (tile * parts + padded_keys(a) * (parts + parts_v));
}

/// Blocks that a multiprocessor holds: 64 Ki registers, of which a thread's scores take half a key each.
int64_t resident_blocks(const Attention& a) {
  const int64_t registers = std::max(padded_keys(a) / 2, padded_keys(a) / 4 + a.depth_v / 2) + 56;
  return std::clamp<int64_t>(
      std::min(65536 / (warpgroup * registers), (227 << 10) / (shared_bytes(a) + 1024)), 1, 8);
}

/// Microseconds: memory's share, or the blocks' waves. A block that is alone on its multiprocessor waits for
/// its loads and products; several hide each other's, and share the units.
double estimate(const Attention& a, const Config& config, int multiprocessors) {
  const double heads = static_cast<double>(a.heads.constant() * a.batch.constant());
  const double queries = static_cast<double>(a.queries.constant()),
               keys = static_cast<double>(padded_keys(a)), depth = static_cast<double>(a.depth + a.depth_v);
  const double blocks = heads * std::ceil(queries / static_cast<double>(tile * config.tiles));
  const double resident =
      std::min(static_cast<double>(resident_blocks(a)), std::ceil(blocks / multiprocessors));
  const double waves = std::ceil(blocks / (multiprocessors * resident));
  const double loads = (keys + static_cast<double>(tile * config.tiles)) * depth * 2 / 100e3;
  const double alone = loads + config.tiles * (0.3 + 0.0055 * keys);
  const double together = std::max(loads, config.tiles * 0.0066 * keys) * resident;
  const double memory = heads * (queries + keys) * depth * 2 / 2.6e6;
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
    if (!a.keys.is_constant() || a.keys.constant() < 1 || a.keys.constant() > most_keys)
      return Support::no("more keys than {}, or a number that is not known at build", most_keys);
    if (a.depth % 16 || a.depth_v % 32 || a.depth > most_depth || a.depth_v > most_depth)
      return Support::no("heads of no 16 and 32 elements, or of more than {}", most_depth);
    for (const auto& [operand, row] :
         {std::pair{&a.q, a.depth}, {&a.k, a.depth}, {&a.v, a.depth_v}, {&a.y, a.depth_v}})
      if (!operand->in_pieces(row, 8)) return Support::no("rows of no whole 16-byte pieces");
    return Support::yes();
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Attention a = Attention::of(any.at_opt());
    const int all = static_cast<int>(divide_up(std::max<int64_t>(a.queries.constant(), 1), tile));
    std::vector<Candidate> found;
    for (int tiles : {1, 2, 4}) {
      if (tiles > 1 && tiles / 2 >= all) break;
      const Config config{tiles};
      found.push_back({config.id(), estimate(a, config, gpu.multiprocessors)});
    }
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Attention a = Attention::of(problem);
    const auto product = [&](const char* name, int64_t columns, bool by_values) {
      return warpgroup_product_text(name, static_cast<int>(columns), a.dtype, by_values, by_values);
    };
    return a.text(problem) +
           constants_text({{"KEYS", padded_keys(a)},
                           {"DEPTH", a.depth},
                           {"DEPTH_V", a.depth_v},
                           {"TILES", Config::parse(candidate).tiles},
                           {"MASK_BY_KEY", a.mask.strides[2].is(0)},
                           {"BLOCKS", resident_blocks(a)}}) +
           "}\n#define BURNISH_WGMMA\n" + kernel_text("tensor_core") +
           product("score", padded_keys(a), false) + product("weigh", a.depth_v, true) +
           "namespace burnish {\n" + kernel_text("wgmma_attention");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Attention a = Attention::of(problem);
    Sizes sizes;
    a.add_sizes(sizes);
    sizes.add("query_blocks", ir::ceil_div(a.queries, tile * Config::parse(candidate).tiles));
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const Attention a = Attention::of(problem);
    const int64_t blocks = divide_up(a.queries.constant(), tile * Config::parse(candidate).tiles) *
                           a.heads.constant() * a.batch.constant();
    if (blocks == 0) return {};
    require(blocks <= INT32_MAX, "attention over {} blocks has no CUDA kernel", blocks);
    Launch launch;
    launch.grid[0] = static_cast<unsigned>(blocks);
    launch.threads = warpgroup;
    launch.shared_bytes = static_cast<size_t>(shared_bytes(a));
    return {launch};
  }
};

}  // namespace

const device::Tactic& wgmma_attention_tactic() {
  static const WgmmaAttention tactic;
  return tactic;
}

}  // namespace burnish::cuda
