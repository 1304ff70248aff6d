// Attention as one kernel, by kernels/attention.cuh: q, k, v and the mask are read and the result is written
// where transposes, splits and changes of shape round the op say, so that none of these runs.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/attention.h"
#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;
using ir::Dim;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

bool multiple(const Dim& value, int64_t of) {
  return value.is_constant() ? value.constant() % of == 0 : ir::mod(value, of).is(0);
}

/// Four dimensions (batch, head, row, column) of a tensor of the problem.
struct Operand {
  int tensor = -1;  ///< input, or output
  Dim offset = 0;
  std::array<Dim, 4> strides = {0, 0, 0, 0};

  /// Whether pieces of `elements` neighbours in a row lie at multiples of their size.
  bool in_pieces(const Dim& row, int64_t elements) const {
    bool fits = strides[3].is(1) && multiple(row, elements) && multiple(offset, elements);
    for (size_t d = 0; d < 3; ++d) fits = fits && multiple(strides[d], elements);
    return fits;
  }
};

enum class MaskKind : int { none, boolean, added };
enum class Causal : int { none, top_left, bottom_right };

struct Attention {
  DType dtype = DType::f16;
  Operand q, k, v, mask, y;
  MaskKind mask_kind = MaskKind::none;
  Causal causal = Causal::none;
  double scale = 1, softcap = 0;
  Dim batch, heads, sharing, queries, keys;
  int64_t depth = 0, depth_v = 0;
};

Support find_operand(const Problem& problem, ir::ValueId value, Operand& operand) {
  const ops::StridedSource source = ops::strided_source(problem.body(), value);
  operand.tensor = problem.input_index(source.source);
  if (operand.tensor < 0) return Support::no("an operand is made inside the region");
  operand.offset = source.offset;
  std::copy(source.strides.begin(), source.strides.end(),
            operand.strides.begin() + (4 - static_cast<std::ptrdiff_t>(source.strides.size())));
  return Support::yes();
}

Support analyse(const Problem& problem, Attention& into) {
  const ir::Node* node = nullptr;
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    if (problem.node(i).op != &ops::def::attention) continue;
    if (node) return Support::no("several attentions");
    node = &problem.node(i);
  }
  if (!node) return Support::no("no attention");
  const auto type = [&](ir::ValueId value) -> const ir::TensorType& {
    return problem.body().value(value).type;
  };
  for (int i = 0; i < problem.input_count(); ++i)
    if (problem.input(i).layout != ir::Layout::plain) return Support::no("it takes plain tensors");
  if (problem.output_count() != 1 || problem.output(0).layout != ir::Layout::plain)
    return Support::no("it gives one plain tensor");
  const ir::TensorType &q = type(node->inputs[0]), &k = type(node->inputs[1]), &v = type(node->inputs[2]);
  into.dtype = q.dtype;
  if (q.dtype != DType::f16 && q.dtype != DType::bf16 && q.dtype != DType::f32)
    return Support::no("the tensor cores do not take {}", dtype_name(q.dtype));
  constexpr int64_t most = 256;
  if (!q.shape[3].is_constant() || !v.shape[3].is_constant() || q.shape[3].constant() > most ||
      v.shape[3].constant() > most)
    return Support::no("heads of more than {} elements, or of a size that is not known at build", most);
  if (!q.shape[1].is_constant() || !k.shape[1].is_constant() || k.shape[1].constant() < 1)
    return Support::no("the number of heads is not known at build");
  for (auto [operand, at] : {std::pair{&into.q, 0}, std::pair{&into.k, 1}, std::pair{&into.v, 2}})
    if (Support support = find_operand(problem, node->inputs[static_cast<size_t>(at)], *operand); !support)
      return support;
  if (node->inputs.size() > 3 && node->inputs[3]) {
    const DType mask = type(node->inputs[3]).dtype;
    into.mask_kind = is_floating(mask) ? MaskKind::added : MaskKind::boolean;
    if (Support support = find_operand(problem, node->inputs[3], into.mask); !support) return support;
    // Dimensions of one are repeated; their strides are 0 already where a transpose has not moved them.
    const std::vector<Dim>& shape = type(node->inputs[3]).shape;
    for (size_t d = 0; d < shape.size(); ++d)
      if (shape[d].is(1)) into.mask.strides[d + 4 - shape.size()] = 0;
    const std::array<Dim, 4> scores = {q.shape[0], q.shape[1], q.shape[2], k.shape[2]};
    for (size_t d = 0; d < shape.size(); ++d)
      if (!shape[d].is(1) && !(shape[d] == scores[d + 4 - shape.size()]))
        return Support::no("it cannot be told which dimensions of the mask are repeated");
  }
  const ops::StridedSource result =
      ops::strided_result(problem.body(), node->outputs[0], problem.body().outputs[0].value);
  if (result.strides.empty()) return Support::no("what follows it is no change of places");
  std::copy(result.strides.begin(), result.strides.end(), into.y.strides.begin());
  into.y.offset = result.offset;
  into.y.tensor = 0;
  const auto& attributes = node->attributes.as<ops::AttentionAttributes>();
  into.causal = attributes.causal == "top_left"       ? Causal::top_left
                : attributes.causal == "bottom_right" ? Causal::bottom_right
                                                      : Causal::none;
  into.depth = q.shape[3].constant();
  into.depth_v = v.shape[3].constant();
  into.scale = attributes.scale != 0 ? attributes.scale : 1 / std::sqrt(static_cast<double>(into.depth));
  into.softcap = attributes.softcap;
  into.batch = q.shape[0];
  into.heads = q.shape[1];
  into.sharing = q.shape[1].constant() / k.shape[1].constant();
  into.queries = q.shape[2];
  into.keys = k.shape[2];
  if (into.depth < 1 || into.depth_v < 1) return Support::no("heads of no elements");
  return Support::yes();
}

Attention attention_of(const Problem& problem) {
  Attention attention;
  const Support support = analyse(problem, attention);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return attention;
}

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
    return analyse(problem, attention);
  }

  std::vector<Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Attention a = attention_of(any.at_opt());
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
    std::stable_sort(found.begin(), found.end(),
                     [](const Candidate& a, const Candidate& b) { return a.estimate_us < b.estimate_us; });
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Attention a = attention_of(problem);
    const int64_t chunk = 16 / dtype_bytes(a.dtype);
    const auto pointer = [&](const char* name, const std::string& text, bool writes) {
      return fmt::format(
          "BURNISH_DEVICE {0}Element* {1}_operand(const Operands& p) {{ return "
          "static_cast<{0}Element*>({2}); }}\n",
          writes ? "" : "const ", name, text);
    };
    std::string mask = "BURNISH_DEVICE float mask(const Operands&, int) { return 0; }\n";
    if (a.mask_kind != MaskKind::none) {
      const std::string element = operand_pointer(problem, a.mask.tensor) + "[place]";
      mask =
          "BURNISH_DEVICE float mask(const Operands& p, int place) { return " +
          (a.mask_kind == MaskKind::boolean
               ? "(" + element + ") ? 0.0f : __int_as_float(0xff800000)"
               : fmt::format("widen<{}>(({}))", memory_type(problem.input(a.mask.tensor).dtype), element)) +
          "; }\n";
    }
    const bool mask_is_weight = a.mask_kind != MaskKind::none && problem.is_weight(a.mask.tensor);
    return fmt::format("using Element = {};\nconstexpr float SCALE = {:a}f, SOFTCAP = {:a}f;\n",
                       memory_type(a.dtype), static_cast<float>(a.scale), static_cast<float>(a.softcap)) +
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
                           {"MASK", static_cast<int>(a.mask_kind)},
                           {"MASK_IS_WEIGHT", mask_is_weight},
                           {"CAUSAL", static_cast<int>(a.causal)}}) +
           pointer("q", operand_pointer(problem, a.q.tensor), false) +
           pointer("k", operand_pointer(problem, a.k.tensor), false) +
           pointer("v", operand_pointer(problem, a.v.tensor), false) + pointer("y", "p.y0", true) + mask +
           "}\n" + kernel_text("tensor_core") + "namespace burnish {\n" + kernel_text("attention");
  }

  Sizes sizes(const Problem& problem, const std::string& candidate) const override {
    const Attention a = attention_of(problem);
    const Config config = Config::parse(candidate);
    Sizes sizes;
    sizes.add("heads", a.heads);
    sizes.add("sharing", a.sharing);
    sizes.add("queries", a.queries);
    sizes.add("keys", a.keys);
    sizes.add("depth", a.depth);
    sizes.add("depth_v", a.depth_v);
    sizes.add("query_tiles", ir::ceil_div(a.queries, int64_t{16} * config.warps_q));
    const auto add = [&](const std::string& name, const Operand& operand, const char* column) {
      sizes.add(name + "_offset", operand.offset);
      sizes.add(name + "_batch", operand.strides[0]);
      sizes.add(name + "_head", operand.strides[1]);
      sizes.add(name + "_row", operand.strides[2]);
      sizes.add(name + column, operand.strides[3]);
    };
    add("q", a.q, "_column");
    add("k", a.k, "_column");
    add("v", a.v, "_column");
    add("y", a.y, "_column");
    add("mask", a.mask, "_key");
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string& candidate,
                               const Arch&) const override {
    const Config config = Config::parse(candidate);
    const Attention a = attention_of(problem);
    const int64_t blocks = divide_up(a.queries.constant(), int64_t{16} * config.warps_q) *
                           a.heads.constant() * a.batch.constant();
    if (blocks == 0) return {};
    require(blocks <= INT32_MAX, "attention over {} blocks has no CUDA kernel", blocks);
    Launch launch;
    launch.grid[0] = static_cast<unsigned>(blocks);
    launch.threads = static_cast<unsigned>(config.threads());
    launch.shared_bytes = config.shared_bytes(attention_of(written.at_opt()));
    return {launch};
  }
};

}  // namespace

const device::Tactic& attention_tactic() {
  static const AttentionTactic tactic;
  return tactic;
}

}  // namespace burnish::cuda
