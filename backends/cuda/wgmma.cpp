#include "cuda/wgmma.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace burnish::cuda {
namespace {

int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

/// Of 64 columns mostly, by how many what a tile's end reads is ahead of it: as registers allow.
int slices_ahead(const WgmmaConfig& config) {
  if (config.blocks == 0) return config.tile_n <= 64 ? 4 : 1;
  if (config.groups == 4) return 1;
  return config.tile_n < 256 ? 3 : 2;
}

/// What the kernel calls End.
std::string end_text(const WgmmaConfig& config, WgmmaEnd end) {
  if (end == WgmmaEnd::exchange) return kernel_text("wgmma_exchange") + "using End = Exchange;\n";
  if (end == WgmmaEnd::pooled) return kernel_text("wgmma_pooled") + "using End = Pooled;\n";
  return kernel_text("wgmma_direct") + fmt::format("using End = Direct<{}>;\n", slices_ahead(config));
}

}  // namespace

WgmmaEnd WgmmaConfig::end(const Contraction& contraction, int64_t line) const {
  if (split > 1) return WgmmaEnd::exchange;
  if (!contraction.pooled) return WgmmaEnd::direct;
  return line == 8 && tile_n % 32 == 0 ? WgmmaEnd::pooled : WgmmaEnd::exchange;
}

std::vector<WgmmaConfig> WgmmaWork::staying(const WgmmaConfig& config, int multiprocessors) const {
  const int64_t tiles = row_tiles * column_tiles;
  if (!config.may_stay() || 2 * tiles <= multiprocessors) return {};
  std::vector<WgmmaConfig> ways;
  const auto add = [&](bool fetches, bool leads, bool keeps) {
    WgmmaConfig& way = ways.emplace_back(config);
    way.blocks = config.places(multiprocessors);
    way.fetches = fetches;
    way.leads = leads;
    way.keeps = keeps;
  };
  if (config.tile_n > 64) {
    add(false, false, false);
    add(true, false, false);
    if (config.groups == 2 && tiles > multiprocessors) add(true, true, false);
  }
  if (column_tiles == 1 && config.cluster() == 1 && tiles > multiprocessors) {
    add(false, false, true);
    add(true, false, true);
    std::erase_if(ways, [&](const WgmmaConfig& way) {
      return way.keeps && kept_bytes(way) + 3 * stage_bytes(way) + 1024 > WgmmaConfig::most_shared;
    });
  }
  return ways;
}

std::string WgmmaConfig::id() const {
  const std::string id =
      fmt::format("{}x{}.s{}.k{}.c{}x{}", tile_m(), tile_n, stages, split, share_m, share_n);
  if (blocks == 0) return id;
  return id + fmt::format(".p{}{}{}{}", blocks, fetches ? "f" : "", leads ? "l" : "", keeps ? "k" : "");
}

WgmmaConfig WgmmaConfig::parse(const std::string& id, std::string_view tactic) {
  WgmmaConfig c;
  int rows = 0;
  char ways[4] = "";
  const bool read = std::sscanf(id.c_str(), "%dx%d.s%d.k%d.c%dx%d.p%d%3[flk]", &rows, &c.tile_n, &c.stages,
                                &c.split, &c.share_m, &c.share_n, &c.blocks, ways) >= 6;
  c.groups = rows / 64;
  c.fetches = std::strchr(ways, 'f') != nullptr;
  c.leads = std::strchr(ways, 'l') != nullptr;
  c.keeps = std::strchr(ways, 'k') != nullptr;
  const auto within = [](int value, int least, int most) { return value >= least && value <= most; };
  const auto power = [](int value) { return (value & (value - 1)) == 0; };
  require(read && rows % 64 == 0 && within(c.groups, 1, 4) && c.tile_n % 16 == 0 &&
              within(c.tile_n, 16, 256) && within(c.stages, 1, 16) && within(c.split, 1, 8) &&
              power(c.split) && within(c.share_m, 1, 4) && within(c.share_n, 1, 4) && power(c.share_m) &&
              power(c.share_n) && c.cluster() <= 8 &&
              (c.blocks == 0 ||
               (c.may_stay() && within(c.blocks, c.cluster(), 1 << 16) && c.blocks % c.cluster() == 0)) &&
              (!c.leads || c.groups == 2) && (!c.keeps || c.cluster() == 1),
          "'{}' is no candidate of {}", id, tactic);
  return c;
}

int64_t WgmmaWork::blocks(const WgmmaConfig& config) const {
  return round_up(row_tiles, config.share_m) * round_up(column_tiles, config.share_n) * config.split;
}

size_t WgmmaWork::stage_bytes(const WgmmaConfig& config) const {
  return static_cast<size_t>((left_rows + (config.keeps ? 0 : config.tile_n * taps)) *
                             WgmmaConfig::row_bytes);
}

size_t WgmmaWork::kept_bytes(const WgmmaConfig& config) const {
  return config.keeps ? static_cast<size_t>(steps * config.tile_n * taps * WgmmaConfig::row_bytes) : 0;
}

size_t WgmmaWork::shared_bytes(const WgmmaConfig& config) const {
  const size_t sums = static_cast<size_t>(config.tile_m() * config.tile_n) * sizeof(float),
               pipeline = static_cast<size_t>(config.stages) * stage_bytes(config);
  if (config.blocks > 0) return 1024 + kept_bytes(config) + pipeline;
  return 1024 + (config.split > 1 ? pipeline + sums : std::max(pipeline, sums));
}

bool WgmmaWork::choose_stages(WgmmaConfig& config, int multiprocessors) const {
  // Two blocks a multiprocessor hide each other's ends, where there are so many.
  const bool two = config.blocks == 0 && row_tiles * column_tiles * config.split > multiprocessors &&
                   config.groups * config.tile_n <= 256 && 2 * stage_bytes(config) <= 111 << 10;
  const size_t budget = two ? 112 << 10 : WgmmaConfig::most_shared;
  const int64_t fits = static_cast<int64_t>((budget - 1024 - kept_bytes(config)) / stage_bytes(config));
  const int64_t own =
      config.blocks > 0 ? steps * divide_up(blocks(config), config.blocks) : divide_up(steps, config.split);
  config.stages = static_cast<int>(std::clamp<int64_t>(std::min(own, fits), 1, 8));
  const bool led = !config.leads || steps > config.stages;  // the kernel does not otherwise
  return led && shared_bytes(config) <= WgmmaConfig::most_shared;
}

double WgmmaWork::estimate_staying(const WgmmaConfig& config, double least_step_us) const {
  const double tiles = std::ceil(static_cast<double>(blocks(config)) / config.blocks);
  const double elements = static_cast<double>(config.tile_m()) * config.tile_n;
  const double bytes =
      static_cast<double>(left_rows) * WgmmaConfig::row_bytes / config.share_n +
      (config.keeps ? 0.0
                    : static_cast<double>(config.tile_n) * WgmmaConfig::row_bytes * taps / config.share_m);
  const double step = std::max(2 * elements * 64 * taps / 6.6e6 + bytes / 500e3, least_step_us);
  const double way = 1 - 0.01 * config.fetches - 0.01 * config.leads;
  return 1.7 + tiles * (way * static_cast<double>(steps) * step + elements / 28e3);
}

double WgmmaWork::estimate(const WgmmaConfig& config, int multiprocessors, double least_step_us) const {
  if (config.blocks > 0) return estimate_staying(config, least_step_us);
  const double count = static_cast<double>(blocks(config));
  const double own_steps = static_cast<double>(divide_up(steps, config.split));
  const double resident =
      std::max(1.0, std::min(std::floor(228e3 / static_cast<double>(shared_bytes(config) + 1024)),
                             std::ceil(count / multiprocessors)));
  const double waves = std::ceil(count / (config.places(multiprocessors) * resident));
  const double rows = config.tile_m(), row_bytes = WgmmaConfig::row_bytes;
  const double flops = 2 * rows * config.tile_n * 64 * taps * own_steps;
  const double a_bytes = static_cast<double>(left_rows) * row_bytes * own_steps / config.share_n,
               b_bytes = config.tile_n * row_bytes * taps * own_steps / config.share_m;
  const double hidden = std::min(1.0, config.stages / own_steps) * b_bytes / waves;
  const double loaded = a_bytes + b_bytes - hidden;
  const double products = std::max(flops * resident / 6.2e6, 0.06 * own_steps * taps),
               copies = loaded * resident / 36e3;
  const bool one_by_one =
      config.stages == 1 && own_steps > 1 && resident < 2;  // no copy runs beside a product
  const double time = std::max(one_by_one ? products + copies : std::max(products, copies),
                               least_step_us * own_steps * resident);
  const double finish = rows * config.tile_n * 6.0 * resident / 90e3 +
                        (config.split > 1 ? 0.4 + rows * config.tile_n * 4 * resident / 40e3 : 0);
  return 1.7 + waves * time + std::max(1.0, 0.5 * waves) * finish +
         (config.share_m * config.share_n > 1 ? 0.2 * config.share_m * config.share_n : 0);
}

Launch WgmmaWork::launch(const WgmmaConfig& config) const {
  Launch launch;
  launch.threads = static_cast<unsigned>(128 * config.groups + (config.blocks > 0 ? 128 : 32));
  launch.shared_bytes = shared_bytes(config);
  if (config.blocks > 0) {
    launch.grid[0] = static_cast<unsigned>(std::min<int64_t>(config.blocks, blocks(config)));
    launch.cluster[0] = static_cast<unsigned>(config.cluster());
    return launch;
  }
  launch.grid = {static_cast<unsigned>(round_up(row_tiles, config.share_m)),
                 static_cast<unsigned>(round_up(column_tiles, config.share_n)),
                 static_cast<unsigned>(config.split)};
  launch.cluster = {static_cast<unsigned>(config.share_m), static_cast<unsigned>(config.share_n),
                    static_cast<unsigned>(config.split)};
  return launch;
}

std::vector<device::Candidate> offered(std::vector<device::Candidate> plain,
                                       std::vector<device::Candidate> staying) {
  for (std::vector<device::Candidate>* list : {&plain, &staying}) sort_by_estimate(*list);
  const auto first = [](std::vector<device::Candidate>& list, size_t count) {
    return list.begin() + static_cast<std::ptrdiff_t>(std::min(count, list.size()));
  };
  plain.insert(first(plain, 2), staying.begin(), first(staying, 6));
  return plain;
}

Support wgmma_supports(const device::Problem& problem, const Contraction& c) {
  if (c.dtype != DType::f16 && c.dtype != DType::bf16) return Support::no("it takes f16 and bf16");
  if (!c.right_is_weight(problem)) return Support::no("a right operand that is computed");
  if (problem.is_weight(c.left)) return Support::no("a left operand that is a weight");
  if (c.groups > 1 || !c.batch.is(1)) return Support::no("several products");
  if (c.left_offset % 8) return Support::no("rows that begin at no whole 16-byte piece");
  if (!c.columns.is_constant()) return Support::no("columns that are not known at build");
  return Support::yes();
}

std::string warpgroup_product_text(const std::string& name, int columns, DType dtype, bool left_in_registers,
                                   bool right_rows) {
  const int count = columns / 2;
  std::string registers, operands;  // the instruction names every register of the results
  for (int i = 0; i < count; ++i) {
    registers += fmt::format("{}%{}", i ? ", " : "", i);
    operands += fmt::format("{}\"+f\"(d[{}])", i ? ", " : "", i);
  }
  const int left_count = left_in_registers ? 4 : 1, right = count + left_count;
  std::string left = fmt::format("%{}", count);
  std::string left_operands = "\"l\"(left)";
  if (left_in_registers) {
    left = fmt::format("{{%{}, %{}, %{}, %{}}}", count, count + 1, count + 2, count + 3);
    left_operands = "\"r\"(left[0]), \"r\"(left[1]), \"r\"(left[2]), \"r\"(left[3])";
  }
  return fmt::format(
      "namespace burnish {{\nBURNISH_DEVICE void {0}(float (&d)[{1}], {2}, uint64_t right, bool add) {{\n"
      "  asm volatile(\"{{.reg .pred add; setp.ne.b32 add, %{3}, 0; "
      "wgmma.mma_async.sync.aligned.m64n{4}k16.f32.{5}.{5} {{{6}}}, {7}, %{8}, add, 1, 1{9}, {10};}}\" : "
      "{11} : "
      "{12}, \"l\"(right), \"r\"(int(add)) : \"memory\");\n}}\n}}\n",
      name, count, left_in_registers ? "const uint32_t (&left)[4]" : "uint64_t left", right + 1, columns,
      dtype == DType::f16 ? "f16" : "bf16", registers, left, right, left_in_registers ? "" : ", 0",
      right_rows ? 1 : 0, operands, left_operands);
}

std::string wgmma_source(const device::Problem& problem, const Contraction& contraction,
                         const WgmmaConfig& config, WgmmaEnd end, int64_t steps, const std::string& left) {
  const bool persistent = config.blocks > 0;
  // The operand that is larger is read once, from memory; the other one again and again, from L2.
  const bool rows_first = !contraction.total_rows.is_constant() ||
                          contraction.total_rows.constant() > contraction.columns.constant();
  const int neighbours = config.neighbours(end);
  const Epilogue epilogue(problem, contraction, end == WgmmaEnd::pooled ? 4 : neighbours);
  require(!persistent || end != WgmmaEnd::exchange, "internal: sums of blocks that stay change no hands");
  return fmt::format("using Element = {};\n", memory_type(contraction.dtype)) +
         constants_text(
             {{"POOLED", contraction.pooled},
              {"GROUPS_M", config.groups},
              {"TILE_M", config.tile_m()},
              {"TILE_N", config.tile_n},
              {"STAGES", config.stages},
              {"SPLIT", config.split},
              {"SHARE_M", config.share_m},
              {"SHARE_N", config.share_n},
              {"SHARE", config.share_m * config.share_n},
              {"MULTIPLIERS", 128 * config.groups},
              {"NEIGHBOURS", neighbours},
              {"PADDED_COLUMNS", config.any_tile ? columns_for_any_tile(contraction.columns.constant()) : 0},
              {"ROWS_FIRST", persistent && rows_first},
              {"FETCH", config.fetches},
              {"KEPT", config.keeps ? steps : 0},
              {"LEAD", config.leads ? (config.stages - 1) / 2 : 0}}) +
         fmt::format(
             "BURNISH_DEVICE const Element* b_operand(const Operands& p) {{ return static_cast<const "
             "Element*>(p.c{}); }}\n",
             weight_order(problem, contraction.right)) +
         epilogue.text_in_parts() + (persistent ? "" : epilogue.fetch_text()) + "}\n#define BURNISH_WGMMA\n" +
         kernel_text("tensor_core") +
         warpgroup_product_text("multiply", config.tile_n, contraction.dtype, false, false) +
         "namespace burnish {\n" + left + end_text(config, end) +
         kernel_text(persistent ? "wgmma_persistent" : "wgmma");
}

}  // namespace burnish::cuda
