// Attention as one kernel, by kernels/attention.cuh.
#include "cuda/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

/// How a block's warps share queries and keys, the keys that a warp takes in one step, and the steps in
/// flight.
struct Config {
  int warps_q = 1, warps_k = 4, keys = 32, stages = 1;

  std::string id() const { return fmt::format("q{}x16.k{}x{}.s{}", warps_q, warps_k, keys, stages); }
  static Config parse(const std::string& id) {
    Config c;
    const bool read =
        std::sscanf(id.c_str(), "q%dx16.k%dx%d.s%d", &c.warps_q, &c.warps_k, &c.keys, &c.stages) == 4;
    require(read && c.warps_q >= 1 && c.warps_k >= 1 && c.warps_q * c.warps_k <= 16 && c.keys >= 16 &&
                c.keys <= 128 && c.keys % 16 == 0 && c.stages >= 1 && c.stages <= 8,
            "'{}' is no candidate of cuda.attention", id);
    return c;
  }
  int threads() const { return 32 * warps_q * warps_k; }

  static int64_t padded(int64_t depth, DType dtype) { return round_up(depth, dtype == DType::f32 ? 8 : 16); }
  /// Bytes of a row in shared memory: an odd number of 16-byte chunks.
  static int64_t pitch(int64_t depth, DType dtype) {
    return (padded(depth, dtype) * dtype_bytes(dtype) / 16 | 1) * 16;
  }
  size_t shared_bytes(const Attention& a) const {
    const int64_t q = int64_t{warps_q} * 16, step = int64_t{warps_k} * keys;
    const int64_t pipeline =
        q * pitch(a.depth, a.dtype) + stages * step * (pitch(a.depth, a.dtype) + pitch(a.depth_v, a.dtype));
    const int64_t parts = warps_k * q * ((padded(a.depth_v, a.dtype) + 4) * 4 + 8);
    return static_cast<size_t>(std::max(pipeline, parts));
  }
};

constexpr size_t most_shared = 160 << 10;

/// Microseconds: waves of blocks over the multiprocessors, each bound by its products, its share of L2, or
/// latency.
double estimate(const Attention& a, const Config& config, int multiprocessors) {
  const int64_t queries = a.queries.constant(), keys = a.keys.constant();
  const int64_t steps = divide_up(std::max<int64_t>(keys, 1), int64_t{config.warps_k} * config.keys);
  const double blocks = static_cast<double>(divide_up(queries, int64_t{16} * config.warps_q) *
                                            a.heads.constant() * a.batch.constant());
  const double depth = static_cast<double>(a.depth + a.depth_v);
  const double padded_keys = static_cast<double>(steps * config.warps_k * config.keys);
  const double resident =
      std::max(1.0, std::min({std::floor(220e3 / static_cast<double>(config.shared_bytes(a))),
                              std::floor(1024.0 / config.threads()), std::ceil(blocks / multiprocessors)}));
  const double waves = std::ceil(blocks / (multiprocessors * resident));
  const double flops = 2.0 * 16 * config.warps_q * padded_keys * depth;
  const double rate = (a.dtype == DType::f32 ? 0.5e6 : 2.5e6);  // FLOP a microsecond of one multiprocessor
  const double one_warp = flops / (config.warps_q * config.warps_k) / (rate / 4);
  const double bytes =
      (padded_keys + 16.0 * config.warps_q) * depth * static_cast<double>(dtype_bytes(a.dtype));
  const double time = std::max({flops * resident / rate, bytes * resident / 33e3, one_warp}) +
                      0.25 * static_cast<double>(steps) + (config.warps_k > 1 ? 0.25 : 0.1);
  return 1.8 + waves * time;
}

class AttentionTactic : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.attention"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    Attention attention;
    return Attention::analyse(problem, attention);
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Attention a = Attention::of(any.at_opt());
    std::vector<std::pair<int, int>> shares = {{1, 1}, {1, 2}, {1, 4}, {1, 8}, {2, 1}, {2, 2},
                                               {2, 4}, {4, 1}, {4, 2}, {7, 1}, {8, 1}};
    // One block for all queries of a head reads its keys and values once.
    const int64_t slabs = divide_up(a.queries.constant(), 16);
    if (slabs > 8 && slabs <= 16) shares.emplace_back(static_cast<int>(slabs), 1);
    std::vector<Candidate> found;
    for (const auto& [warps_q, warps_k] : shares)
      for (int keys : {16, 32, 64, 128}) {
        Config config{warps_q, warps_k, keys, 1};
        if ((a.depth > 128 || a.dtype == DType::f32) && keys > 64) continue;  // registers
        const int64_t step = int64_t{warps_k} * keys, steps = divide_up(a.keys.constant(), step);
        if (step > 16 && step / 2 >= a.keys.constant()) continue;  // half of it would do
        if (config.shared_bytes(a) > most_shared) continue;
        // All steps in flight where they fit, else two.
        config.stages = static_cast<int>(std::clamp<int64_t>(steps, 1, 4));
        while (config.stages > 1 && (config.stages > 2 || steps > 1) && config.shared_bytes(a) > most_shared)
          --config.stages;
        if (steps > config.stages) config.stages = std::min(config.stages, 2);
        found.push_back({config.id(), estimate(a, config, gpu.multiprocessors)});
      }
    require(!found.empty(), "internal: attention over heads of {} elements has no candidate", a.depth);
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Attention a = Attention::of(problem);
    const int64_t chunk = 16 / dtype_bytes(a.dtype);
    return a.text(problem) +
           constants_text({{"WARPS_Q", config.warps_q},
                           {"WARPS_K", config.warps_k},
                           {"KEYS", config.keys},
                           {"STAGES", config.stages},
                           {"DEPTH", Config::padded(a.depth, a.dtype)},
                           {"DEPTH_V", Config::padded(a.depth_v, a.dtype)},
                           {"Q_COPIED", a.q.in_pieces(a.depth, chunk)},
                           {"K_COPIED", a.k.in_pieces(a.depth, chunk)},
                           {"V_COPIED", a.v.in_pieces(a.depth_v, chunk)},
                           {"VECTOR", a.y.in_pieces(a.depth_v, chunk) ? chunk : 1},
                           {"MASK_IS_WEIGHT", a.mask_is_weight(problem)}}) +
           "}\n" + kernel_text("tensor_core") + "namespace burnish {\n" + kernel_text("attention");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Attention a = Attention::of(problem);
    const Config config = Config::parse(candidate);
    Sizes sizes;
    a.add_sizes(sizes);
    sizes.add("query_tiles", ir::ceil_div(a.queries, int64_t{16} * config.warps_q));
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string& candidate,
                               const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Attention a = Attention::of(problem);
    const int64_t blocks = divide_up(a.queries.constant(), int64_t{16} * config.warps_q) *
                           a.heads.constant() * a.batch.constant();
    if (blocks == 0) return {};
    require(blocks <= INT32_MAX, "attention over {} blocks has no CUDA kernel", blocks);
    Launch launch;
    launch.grid[0] = static_cast<unsigned>(blocks);
    launch.threads = static_cast<unsigned>(config.threads());
    launch.shared_bytes = config.shared_bytes(Attention::of(written.at_opt()));
    return {launch};
  }

  /// The only weight that there may be is the mask, as it is.
  bool pack_alike(const Problem&, const std::string&, const std::string&) const override { return true; }

  double modelled_us(const Problem& problem, const std::string& candidate, const Gpu& gpu) const override {
    return estimate(Attention::of(problem), Config::parse(candidate), gpu.multiprocessors);
  }
};

}  // namespace

const device::Tactic& attention_tactic() {
  static const AttentionTactic tactic;
  return tactic;
}

}  // namespace burnish::cuda
