// Matrix products, and convolutions that are such, on Hopper's warpgroup instructions, by kernels/wgmma.cuh.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/contraction.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;
using ir::Dim;

constexpr int row_bytes = 128;  // of the inner dimension in one stage
constexpr size_t most_shared = 225 << 10;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

bool multiple(const Dim& value, int64_t of) {
  return value.is_constant() ? value.constant() % of == 0 : ir::mod(value, of).is(0);
}

struct Config {
  int groups = 1, tile_n = 64;  ///< a tile has 64 rows for each warpgroup
  int stages = 4, split = 1;
  int share_m = 1, share_n = 1;  ///< blocks of a cluster that share a tile of the right, or the left operand

  std::string id() const {
    return fmt::format("{}x{}.s{}.k{}.c{}x{}", 64 * groups, tile_n, stages, split, share_m, share_n);
  }
  static Config parse(const std::string& id) {
    Config c;
    int rows = 0;
    const bool read = std::sscanf(id.c_str(), "%dx%d.s%d.k%d.c%dx%d", &rows, &c.tile_n, &c.stages, &c.split,
                                  &c.share_m, &c.share_n) == 6;
    c.groups = rows / 64;
    const auto within = [](int value, int least, int most) { return value >= least && value <= most; };
    require(read && rows % 64 == 0 && within(c.groups, 1, 4) && c.tile_n % 16 == 0 &&
                within(c.tile_n, 16, 256) && within(c.stages, 1, 16) && within(c.split, 1, 8) &&
                within(c.share_m, 1, 4) && within(c.share_n, 1, 4) && (c.share_m == 1 || c.share_n == 1),
            "'{}' is no candidate of cuda.wgmma", id);
    return c;
  }
  size_t stage_bytes() const { return static_cast<size_t>((64 * groups + tile_n) * row_bytes); }
  size_t shared_bytes() const {
    const size_t sums = static_cast<size_t>(64 * groups * (tile_n + 4)) * sizeof(float),
                 pipeline = static_cast<size_t>(stages) * stage_bytes();
    return 1024 + (split > 1 ? pipeline + sums : std::max(pipeline, sums));
  }
  unsigned threads() const { return static_cast<unsigned>(128 * groups + 32); }
};

/// Rows of the left operand that lie one behind the other, whole.
Support analyse(const Problem& problem, Contraction& c) {
  if (Support support = Contraction::analyse(problem, c); !support) return support;
  if (c.dtype != DType::f16 && c.dtype != DType::bf16) return Support::no("it takes f16 and bf16");
  if (!c.right_is_weight(problem)) return Support::no("a right operand that is computed");
  if (problem.is_weight(c.left)) return Support::no("a left operand that is a weight");
  if (c.groups > 1 || !c.batch.is(1)) return Support::no("several products");
  if (c.conv) {
    for (int d = 0; d < 2; ++d)
      if (c.kernel[d] != 1 || c.strides[d] != 1 || c.pads[d] != 0 || c.pads_end[d] != 0)
        return Support::no("a convolution that is no product");
    const bool dense = c.left_c.is(1) && c.left_w == c.channels &&
                       (c.height.is(1) || c.left_h == c.width * c.left_w) &&
                       (c.images.is(1) || c.left_image == c.height * c.width * c.channels);
    if (!dense) return Support::no("channels that do not lie side by side");
  } else if (!c.left_c.is(1) || !(c.left_h == c.inner)) {
    return Support::no("rows that do not lie one behind the other");
  }
  if (c.left_offset % 8) return Support::no("rows that begin at no whole 16-byte piece");
  if (!c.inner.is_constant() || !multiple(c.inner, 8)) return Support::no("rows of no whole 16-byte pieces");
  if (!c.columns.is_constant()) return Support::no("columns that are not known at build");
  return Support::yes();
}

Contraction contraction_of(const Problem& problem) {
  Contraction contraction;
  const Support support = analyse(problem, contraction);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return contraction;
}

/// multiply(): the instruction names every register of the results.
std::string multiply_text(int tile_n, DType dtype) {
  const int count = tile_n / 2;
  std::string registers, operands;
  for (int i = 0; i < count; ++i) {
    registers += fmt::format("{}%{}", i ? ", " : "", i);
    operands += fmt::format("{}\"+f\"(d[{}])", i ? ", " : "", i);
  }
  const char* type = dtype == DType::f16 ? "f16" : "bf16";
  return fmt::format(
      "namespace burnish {{\n/// d += a * b: 64 rows of a, {0} columns of b, 16 of the inner dimension, by a "
      "warpgroup.\n"
      "BURNISH_DEVICE void multiply(float (&d)[{1}], uint64_t a, uint64_t b) {{\n"
      "  asm volatile(\"{{.reg .pred add; setp.ne.b32 add, 1, 0; "
      "wgmma.mma_async.sync.aligned.m64n{0}k16.f32.{2}.{2} "
      "{{{3}}}, %{1}, %{4}, add, 1, 1, 0, 0;}}\" : {5} : \"l\"(a), \"l\"(b) : \"memory\");\n}}\n",
      tile_n, count, type, registers, count + 1, operands);
}

/// Microseconds: waves of blocks, each bound by its products, its share of L2, or latency. Weights of the
/// first wave come while the kernel before still runs.
double estimate(const Contraction& c, const Config& config, int multiprocessors) {
  const int64_t m = divide_up(c.total_rows.constant(), 64 * config.groups),
                n = divide_up(c.columns.constant(), config.tile_n);
  const double blocks =
      static_cast<double>(round_up(m, config.share_m) * round_up(n, config.share_n) * config.split);
  const double steps = static_cast<double>(divide_up(divide_up(c.inner.constant(), 64), config.split));
  const double resident =
      std::max(1.0, std::min(std::floor(228e3 / static_cast<double>(config.shared_bytes() + 1024)),
                             std::ceil(blocks / multiprocessors)));
  // An H100's 132 multiprocessors hold 66 clusters of two, but only 30 of four and 15 of eight.
  const int together = config.split * config.share_m * config.share_n;
  const double places = together > 2 ? std::floor(multiprocessors * 10 / 11.0) : multiprocessors;
  const double waves = std::ceil(blocks / (places * resident));
  const double rows = 64.0 * config.groups;
  const double flops = 2 * rows * config.tile_n * 64 * steps;
  const double a_bytes = rows * row_bytes * steps / config.share_n,
               b_bytes = config.tile_n * row_bytes * steps / config.share_m;
  const double hidden = std::min(1.0, config.stages / steps) * b_bytes / waves;
  const double loaded = a_bytes + b_bytes - hidden;
  const double time = std::max({flops * resident / 6.2e6, loaded * resident / 36e3, 0.06 * steps});
  const double finish = rows * config.tile_n * 6.0 * resident / 90e3 +
                        (config.split > 1 ? 0.4 + rows * config.tile_n * 4 * resident / 40e3 : 0);
  return 1.7 + waves * time + (waves > 1 ? waves * 0.5 * finish : finish) +
         (config.share_m * config.share_n > 1 ? 0.1 : 0);
}

class Wgmma : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.wgmma"; }
  std::string target(const Arch& arch) const override { return arch.all_features(); }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (device.arch != "sm_90") return Support::no("its instructions are sm_90a's");
    if (Support support = supports_layouts(problem); !support) return support;
    Contraction contraction;
    if (Support support = analyse(problem, contraction); !support) return support;
    return Epilogue::supports(problem, contraction);
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
    const int64_t rows = c.total_rows.constant(), columns = c.columns.constant(),
                  k_tiles = divide_up(c.inner.constant(), 64);
    std::vector<Candidate> found;
    for (int groups : {1, 2})
      for (int tile_n : {32, 48, 64, 96, 128, 192, 256})
        for (int split : {1, 2, 4, 8})
          for (auto [share_m, share_n] : {std::pair{1, 1}, {2, 1}, {1, 2}, {1, 4}}) {
            Config config{groups, tile_n, 1, split, share_m, share_n};
            const int64_t m = divide_up(rows, 64 * groups), n = divide_up(columns, tile_n);
            if ((groups > 1 && rows <= 64) || (tile_n > 32 && tile_n / 2 >= columns)) continue;
            if (share_m > m || share_n > n || split * share_m * share_n > 8) continue;
            if (split > 1 && (k_tiles < 2 * split || m * n * split > 2 * gpu.multiprocessors)) continue;
            // Two blocks a multiprocessor hide each other's ends, where there are so many.
            const bool two = m * n * split > gpu.multiprocessors && groups * tile_n <= 256;
            const size_t budget = two ? 112 << 10 : most_shared;
            const int64_t fits = static_cast<int64_t>((budget - 1024) / config.stage_bytes());
            config.stages =
                static_cast<int>(std::clamp<int64_t>(std::min(divide_up(k_tiles, split), fits), 1, 8));
            if (config.shared_bytes() > most_shared) continue;
            found.push_back({config.id(), estimate(c, config, gpu.multiprocessors)});
          }
    std::stable_sort(found.begin(), found.end(),
                     [](const Candidate& a, const Candidate& b) { return a.estimate_us < b.estimate_us; });
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Contraction contraction = contraction_of(problem);
    return fmt::format("using Element = {};\n", memory_type(contraction.dtype)) +
           constants_text({{"GROUPS_M", config.groups},
                           {"TILE_N", config.tile_n},
                           {"STAGES", config.stages},
                           {"SPLIT", config.split},
                           {"SHARE_M", config.share_m},
                           {"SHARE_N", config.share_n}}) +
           fmt::format(
               "BURNISH_DEVICE const Element* b_operand(const Operands& p) {{ return static_cast<const "
               "Element*>(p.c{}); }}\n",
               weight_order(problem, contraction.right)) +
           Epilogue(problem, contraction).text() + "}\n#define BURNISH_WGMMA\n" + kernel_text("tensor_core") +
           multiply_text(config.tile_n, contraction.dtype) + kernel_text("wgmma");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Contraction c = contraction_of(problem);
    Sizes sizes;
    sizes.add("rows", c.rows);
    sizes.add("total_rows", c.total_rows);
    sizes.add("columns", c.columns);
    sizes.add("inner", c.inner);
    sizes.add("column_tiles", ir::ceil_div(c.columns, Config::parse(candidate).tile_n));
    Epilogue(problem, c).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Contraction c = contraction_of(problem);
    const int64_t rows = c.total_rows.constant();
    if (rows == 0) return {};
    Launch launch;
    launch.grid = {
        static_cast<unsigned>(round_up(divide_up(rows, 64 * config.groups), config.share_m)),
        static_cast<unsigned>(round_up(divide_up(c.columns.constant(), config.tile_n), config.share_n)),
        static_cast<unsigned>(config.split)};
    launch.cluster = {static_cast<unsigned>(config.share_m), static_cast<unsigned>(config.share_n),
                      static_cast<unsigned>(config.split)};
    launch.threads = config.threads();
    launch.shared_bytes = config.shared_bytes();
    launch.map =
        MatrixMap{c.left, c.left_offset,      c.dtype,
                  rows,   c.inner.constant(), static_cast<unsigned>(64 * config.groups / config.share_n)};
    return {launch};
  }

  int in_place_input(const Problem& problem) const override {
    return reusable_input(problem, contraction_of(problem));
  }

  std::vector<Tensor> pack(const Problem& problem, const Candidate& candidate,
                           std::span<const Tensor> weights, device::Device& device) const override {
    std::vector<Tensor> packed = Tactic::pack(problem, candidate, weights, device);
    const Contraction contraction = contraction_of(problem);
    packed[static_cast<size_t>(weight_order(problem, contraction.right))] = pack_tiles(
        contraction, Config::parse(candidate.id).tile_n, weights[static_cast<size_t>(contraction.right)]);
    return packed;
  }
};

}  // namespace

const device::Tactic& wgmma_tactic() {
  static const Wgmma tactic;
  return tactic;
}

}  // namespace burnish::cuda
