// Convolution and matrix product with any pointwise body, by kernels/implicit_gemm.cuh.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/contraction_tactic.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;
using ir::Dim;

/// Tiles of the output, and how warps share them.
struct Tile {
  int m, n, warps_m, warps_n;
};
constexpr Tile tiles[] = {{16, 64, 1, 4}, {16, 128, 1, 4}, {32, 64, 1, 4},  {32, 128, 1, 4}, {64, 32, 4, 1},
                          {64, 64, 2, 2}, {64, 128, 2, 4}, {128, 64, 4, 2}, {128, 128, 2, 4}};
constexpr int row_bytes = 128;  // of the inner dimension in one stage

struct Config {
  Tile tile;
  int stages = 4, split = 1;

  std::string id() const { return fmt::format("{}x{}.s{}.k{}", tile.m, tile.n, stages, split); }
  static Config parse(const std::string& id) {
    Config config;
    int m = 0, n = 0;
    const bool read = std::sscanf(id.c_str(), "%dx%d.s%d.k%d", &m, &n, &config.stages, &config.split) == 4;
    const auto found = std::find_if(std::begin(tiles), std::end(tiles),
                                    [&](const Tile& tile) { return tile.m == m && tile.n == n; });
    require(read && found != std::end(tiles) && config.stages >= 2 && config.stages <= 8 &&
                config.split >= 1 && config.split <= 8,
            "'{}' is no candidate of cuda.implicit_gemm", id);
    config.tile = *found;
    return config;
  }
  /// Parts that come from other blocks of a cluster need a place beside the stages.
  size_t shared_bytes(bool clusters) const {
    const size_t pipeline = static_cast<size_t>(stages * (tile.m + tile.n) * row_bytes),
                 sums = static_cast<size_t>(tile.m * tile.n) * sizeof(float);
    return split > 1 && clusters ? pipeline + sums : std::max(pipeline, sums);
  }
};

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

enum class Mode : uint8_t { copied, elements, packed };

bool multiple(const Dim& value, int64_t of) {
  return value.is_constant() ? value.constant() % of == 0 : ir::mod(value, of).is(0);
}

int64_t chunk_of(const Contraction& c) { return 16 / dtype_bytes(c.dtype); }

/// Of the left operand, how many neighbouring inner elements always lie in one piece of memory that a copy
/// may take: 16, 8 or 4 bytes at a multiple of that. 0: there is none.
int64_t left_piece(const Contraction& c) {
  if (!c.left_c.is(1)) return 0;
  std::vector<Dim> steps = {c.left_image, c.left_h, c.left_batch, c.tap_h, c.tap_w, c.left_offset};
  steps.push_back(c.conv ? c.channels : c.inner);
  if (c.conv) steps.push_back(c.left_w);
  for (int64_t piece = chunk_of(c); piece * dtype_bytes(c.dtype) >= 4; piece /= 2)
    if (std::all_of(steps.begin(), steps.end(), [&](const Dim& step) { return multiple(step, piece); }))
      return piece;
  return 0;
}

/// Whether the kernel may read it as a plain product of rows.
bool is_product(const Contraction& c) { return !c.conv || (c.groups == 1 && c.row_step()); }

class ImplicitGemm : public ContractionTactic {
 public:
  explicit ImplicitGemm(bool tf32) : tf32_(tf32) {}

  std::string name() const override { return tf32_ ? "cuda.implicit_gemm.tf32" : "cuda.implicit_gemm"; }
  bool takes_pitch() const override { return true; }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (tf32_ && !device.tf32) return Support::no("TF32 is not allowed");
    return ContractionTactic::supports(problem, device);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    auto sets = uniform_layouts(problem);
    Contraction contraction;
    if (!Contraction::analyse(problem, contraction, true) || !contraction.conv)
      return {std::vector<ir::Layout>(sets[0].size(), ir::Layout::plain)};
    std::vector<std::vector<ir::Layout>> found = {sets[0]};
    // Few channels are read as they come: the first layer takes the image in the caller's layout.
    if (contraction.channels.is_constant() && contraction.channels.constant() < 8) {
      std::vector<ir::Layout> mixed = sets[0];
      mixed[static_cast<size_t>(contraction.left)] = ir::Layout::plain;
      found.insert(found.begin(), mixed);
    }
    return found;
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Problem problem = any.at_opt();
    const Contraction contraction = contraction_of(problem);
    std::vector<Candidate> found;
    for (const Tile& tile : tiles)
      for (int split : {1, 2, 4, 8})
        if (const Config config{tile, 4, split}; worth_it(contraction, config, gpu.multiprocessors))
          found.push_back({config.id(), estimate(contraction, config, gpu.multiprocessors)});
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch& arch) const override {
    const Config config = Config::parse(candidate);
    const Contraction contraction = contraction_of(problem);
    const std::string element = memory_type(contraction.dtype);
    const auto operand = [&](const char* name, int input, int64_t offset) {
      const std::string pointer = problem.is_weight(input)
                                      ? fmt::format("p.c{}", weight_order(problem, input))
                                      : fmt::format("p.x{}", input);
      return fmt::format(
          "BURNISH_DEVICE const Element* {}(const Operands& p) {{ return static_cast<const Element*>({}) + "
          "{}; "
          "}}\n",
          name, pointer, offset);
    };
    const Prologue prologue(problem, contraction);
    const size_t staged = config.shared_bytes(arch.number >= 90);
    return (tf32_ ? "#define BURNISH_TF32\n" : "") + fmt::format("using Element = {};\n", element) +
           (prologue.empty() ? "" : fmt::format("constexpr int STAGED = {};\n", staged)) + prologue.text() +
           constants_text({{"TILE_M", config.tile.m},
                           {"TILE_N", config.tile.n},
                           {"WARPS_M", config.tile.warps_m},
                           {"WARPS_N", config.tile.warps_n},
                           {"STAGES", config.stages},
                           {"SPLIT", config.split},
                           {"CONV", !is_product(contraction)},
                           {"GROUPED", contraction.groups > 1},
                           {"A_PIECE", left_piece(contraction)},
                           {"B_MODE", static_cast<int>(right_mode(problem, contraction))}}) +
           operand("a_operand", contraction.left, contraction.left_offset) +
           operand("b_operand", contraction.right, 0) + Epilogue(problem, contraction).text_in_parts() +
           Epilogue(problem, contraction).fetch_text() + "}\n" + kernel_text("tensor_core") +
           "namespace burnish {\n" + kernel_text("implicit_gemm");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Contraction c = contraction_of(problem);
    const Config config = Config::parse(candidate);
    Sizes sizes;
    const bool product = is_product(c);
    // Products that differ in their sizes only share their code; the indices of a window want divisions by
    // constants.
    const auto add = [&](const char* name, const Dim& value) {
      product&& c.right_is_weight(problem) ? sizes.add_at_launch(name, value) : sizes.add(name, value);
    };
    const auto add_window = [&](const char* name, const Dim& value) {
      sizes.add(name, product ? Dim(1) : value);
    };
    add("rows", c.rows);
    add("total_rows", c.total_rows);
    add("inner", c.inner);
    add("a_h", product && c.conv ? *c.row_step() : c.left_h);
    sizes.add("columns", c.columns);
    sizes.add("column_tiles", ir::ceil_div(c.columns, config.tile.n));
    add_window("out_width", c.out_width);
    add_window("height", c.height);
    add_window("width", c.width);
    add_window("channels", c.channels);
    add_window("kernel_w", c.kernel[1]);
    add_window("stride_h", c.strides[0]);
    add_window("stride_w", c.strides[1]);
    add_window("dilation_h", c.dilations[0]);
    add_window("dilation_w", c.dilations[1]);
    add_window("pad_h", c.pads[0]);
    add_window("pad_w", c.pads[1]);
    add_window("a_image", c.left_image);
    add_window("a_w", c.left_w);
    add_window("tap_h", c.tap_h);
    add_window("tap_w", c.tap_w);
    sizes.add("a_batch", c.left_batch);
    sizes.add("a_c", c.left_c);
    const bool packed = right_mode(problem, c) == Mode::packed;  // whose place its tiles' numbers say
    sizes.add("b_n", packed ? Dim(0) : c.right_n);
    sizes.add("b_k", packed ? Dim(0) : c.right_k);
    sizes.add("b_batch", packed ? Dim(0) : c.right_batch);
    Prologue(problem, c).add_sizes(sizes);
    Epilogue(problem, c).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch& arch) const override {
    const Config config = Config::parse(candidate);
    const Contraction contraction = contraction_of(problem);
    const auto [m, n, z] = grid(contraction, config);
    const bool clusters = arch.number >= 90;
    const unsigned threads = static_cast<unsigned>(config.tile.warps_m * config.tile.warps_n * 32),
                   split = static_cast<unsigned>(config.split);
    const size_t shared = config.shared_bytes(clusters) + Prologue(problem, contraction).shared_bytes();
    std::vector<Launch> launches = {
        {"kernel", {m, n, z * split}, threads, {1, 1, clusters ? split : 1}, shared}};
    if (!clusters && split > 1) launches.push_back({"meet", {m, n, z}, threads, {1, 1, 1}, 0});
    return launches;
  }

  size_t workspace_bytes(const Problem& problem, const std::string& candidate,
                         const Arch& arch) const override {
    const Config config = Config::parse(candidate);
    if (arch.number >= 90 || config.split == 1) return 0;
    const auto [m, n, z] = grid(contraction_of(problem), config);
    return size_t{m} * n * z * static_cast<size_t>(config.split * config.tile.m * config.tile.n) *
           sizeof(float);
  }

  bool pack_alike(const Problem&, const std::string& one, const std::string& other) const override {
    return Config::parse(one).tile.n == Config::parse(other).tile.n;
  }

  double modelled_us(const Problem& problem, const std::string& candidate, const Gpu& gpu) const override {
    return estimate(contraction_of(problem), Config::parse(candidate), gpu.multiprocessors);
  }

 private:
  /// Seen as the kernel reads it best.
  Support analyse(const Problem& problem, Contraction& c) const override {
    if (Support support = Contraction::analyse(problem, c, true); !support) return support;
    if (c.dtype != DType::f16 && c.dtype != DType::bf16 && c.dtype != DType::f32)
      return Support::no("the tensor cores do not take {}", dtype_name(c.dtype));
    if (tf32_ && c.dtype != DType::f32) return Support::no("TF32 is for f32");
    if (c.groups > 1 && c.columns.constant() < 8)
      return Support::no("groups of few channels leave the tensor cores idle");
    const int64_t piece = left_piece(c);
    if (c.conv && c.node > 0) {
      if (piece < chunk_of(c)) return Support::no("ops before pixels of no whole 16-byte pieces");
      return Prologue::supports(problem, c);
    }
    if (const Contraction runs = c.by_runs(); left_piece(runs) > piece) c = runs;
    return Prologue::supports(problem, c);
  }

  Tensor pack_right(const Contraction& c, const std::string& candidate, const Tensor& weight) const override {
    return pack_tiles(c, Config::parse(candidate).tile.n, weight);
  }

  static std::array<unsigned, 3> grid(const Contraction& c, const Config& config) {
    return {static_cast<unsigned>(divide_up(c.total_rows.constant(), config.tile.m)),
            static_cast<unsigned>(divide_up(c.columns.constant(), config.tile.n)),
            static_cast<unsigned>(c.batch.constant())};
  }

  static Mode right_mode(const Problem& problem, const Contraction& c) {
    if (c.right_is_weight(problem)) return Mode::packed;
    const int64_t chunk = chunk_of(c);
    return c.right_k.is(1) && multiple(c.inner, chunk) && multiple(c.right_n, chunk) &&
                   multiple(c.right_batch, chunk)
               ? Mode::copied
               : Mode::elements;
  }

  static int64_t k_tiles_of(const Contraction& c) {
    return divide_up(c.inner.constant() * dtype_bytes(c.dtype), row_bytes);
  }

  /// Not where a split leaves little to each block, or there are blocks enough.
  static bool worth_it(const Contraction& c, const Config& config, int multiprocessors) {
    if (config.split == 1) return true;
    const auto [m, n, z] = grid(c, config);
    return k_tiles_of(c) >= 2 * config.split && int64_t{m} * n * z * config.split <= 3 * multiprocessors;
  }

  /// Microseconds: waves of blocks over the multiprocessors, each bound by its products, its share of L2, or
  /// latency.
  static double estimate(const Contraction& c, const Config& config, int multiprocessors) {
    const auto [m, n, z] = grid(c, config);
    const int64_t k_tiles = k_tiles_of(c);
    const double blocks = static_cast<double>(m) * n * z * config.split;
    const double resident =
        std::max(1.0, std::min({std::floor(220e3 / static_cast<double>(config.shared_bytes(true))), 4.0,
                                std::ceil(blocks / multiprocessors)}));
    const double waves = std::ceil(blocks / (multiprocessors * resident));
    const double stage_flops =
        2.0 * config.tile.m * config.tile.n * row_bytes / static_cast<double>(dtype_bytes(c.dtype));
    const double rate = (c.dtype == DType::f32 ? 0.6e6 : 3.5e6) /
                        resident;  // FLOP a microsecond of one multiprocessor, by mma.sync
    const double stage_bytes = (config.tile.m + config.tile.n) * static_cast<double>(row_bytes);
    const double bandwidth = 33e3 / resident;  // bytes a microsecond from L2, when all read
    const double steps = std::ceil(static_cast<double>(k_tiles) / config.split);
    const double step = std::max({stage_flops / rate, stage_bytes / bandwidth, 0.12});
    const double finish =
        config.tile.m * config.tile.n * 8.0 / (60e3 / resident) + (config.split > 1 ? 0.9 : 0);
    return 1.8 + waves * (steps * step + finish);
  }

  bool tf32_;
};

}  // namespace

const device::Tactic& implicit_gemm_tactic() {
  static const ImplicitGemm tactic(false);
  return tactic;
}

const device::Tactic& implicit_gemm_tf32_tactic() {
  static const ImplicitGemm tactic(true);
  return tactic;
}

}  // namespace burnish::cuda
