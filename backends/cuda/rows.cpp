// Softmax, log-softmax, layer norm and RMS norm over the last axis with any pointwise body, by
// kernels/rows.cuh.
#include <algorithm>
#include <cstdio>

#include "cuda/contraction.h"
#include "cuda/row_input.h"
#include "cuda/tactics.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

enum class Kind : int { softmax, log_softmax, layer_norm, rms_norm };

struct Rows {
  Kind kind = Kind::softmax;
  size_t node = 0;  ///< of the problem's nodes; those before make its input
  ir::ValueId input;
  int scale = -1, shift = -1;
  double epsilon = 0;
  Contraction as_contraction;  ///< what Epilogue asks for: rows, columns, the node and its value
  Dim length = 1;
  DType dtype = DType::f32;
};

bool is_kind(const ir::Node& node) {
  return node.op == &ops::def::softmax || node.op == &ops::def::log_softmax ||
         node.op == &ops::def::layer_norm || node.op == &ops::def::rms_norm;
}

Support analyse(const Problem& problem, Rows& rows) {
  const auto& nodes = problem.nodes();
  while (rows.node < nodes.size() && !is_kind(problem.node(rows.node))) ++rows.node;
  if (rows.node == nodes.size()) return Support::no("nothing runs over rows");
  const ir::Node& node = problem.node(rows.node);
  int64_t axis = 0;
  if (node.op == &ops::def::softmax || node.op == &ops::def::log_softmax) {
    rows.kind = node.op == &ops::def::softmax ? Kind::softmax : Kind::log_softmax;
    axis = node.attributes.as<ops::SoftmaxAttributes>().axis;
  } else {
    rows.kind = node.op == &ops::def::layer_norm ? Kind::layer_norm : Kind::rms_norm;
    axis = node.attributes.as<ops::LayerNormAttributes>().axis;
    rows.epsilon = node.attributes.as<ops::LayerNormAttributes>().epsilon;
    for (size_t i = 1; i < node.outputs.size(); ++i)
      if (node.outputs[i] &&
          (!problem.body().value(node.outputs[i]).uses.empty() || problem.body().is_output(node.outputs[i])))
        return Support::no("it gives no statistics");
    rows.scale = problem.input_index(node.inputs[1]);
    if (rows.scale < 0) return Support::no("the scale is a literal");
    if (node.inputs.size() > 2 && node.inputs[2]) {
      rows.shift = problem.input_index(node.inputs[2]);
      if (rows.shift < 0) return Support::no("the bias is a literal");
    }
  }
  rows.input = node.inputs[0];
  const ir::TensorType& x = problem.body().value(rows.input).type;
  rows.dtype = x.dtype;
  if (x.rank() < 2 || ops::normalize_axis(axis, x.rank()) != x.rank() - 1)
    return Support::no("it runs over the last axis of a tensor of rank 2 or more");
  if (Support support = RowInput::supports(problem, rows.node, rows.input); !support) return support;
  if (x.dtype != DType::f32 && x.dtype != DType::f16 && x.dtype != DType::bf16)
    return Support::no("it takes f32, f16 and bf16");
  for (int operand : {rows.scale, rows.shift})
    if (operand >= 0 && (problem.input(operand).dtype != x.dtype || problem.input(operand).rank() != 1))
      return Support::no("scale or bias of another kind");
  rows.length = x.shape.back();
  Contraction& c = rows.as_contraction;
  c.node = rows.node;
  c.output = node.outputs[0];
  c.rows = x.shape[x.shape.size() - 2];
  c.columns = rows.length;
  c.total_rows = ir::product(std::vector<Dim>(x.shape.begin(), x.shape.end() - 1));
  return Support::yes();
}

Rows rows_of(const Problem& problem) {
  Rows rows;
  const Support support = analyse(problem, rows);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return rows;
}

/// What comes behind, in vectors that what comes before can be read in.
Epilogue epilogue_of(const Problem& problem, const Rows& rows) {
  constexpr int most = 8;
  return {problem, rows.as_contraction, RowInput(problem, rows.node, rows.input).vector(most)};
}

/// Threads that take a row, and rows of a block.
struct Config {
  int lanes = 32, rows = 4;

  std::string id() const { return fmt::format("lanes{}x{}", lanes, rows); }
  static Config parse(const std::string& id) {
    Config c;
    const bool read = std::sscanf(id.c_str(), "lanes%dx%d", &c.lanes, &c.rows) == 2;
    require(read && (c.lanes == 32 || (c.lanes % 32 == 0 && c.rows == 1)) && c.lanes > 0 && c.rows > 0 &&
                c.lanes * c.rows <= 512,
            "'{}' is no candidate of cuda.rows", id);
    return c;
  }
};

class RowsTactic : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.rows"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    Rows rows;
    if (Support support = analyse(problem, rows); !support) return support;
    return Epilogue::supports(problem, rows.as_contraction);
  }

  std::vector<device::Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Rows rows = rows_of(any.at_opt());
    const int64_t length = rows.length.constant(), count = rows.as_contraction.total_rows.constant();
    const double us = 1.8 + static_cast<double>(length * count * dtype_bytes(rows.dtype)) / 1.5e6;
    // Few rows want many threads each.
    std::vector<device::Candidate> found;
    for (const Config config : {Config{32, 4}, {32, 1}, {64, 1}, {128, 1}, {256, 1}, {512, 1}}) {
      const int64_t lanes = config.lanes;
      if (lanes > 32 && length < 4 * lanes) continue;
      const bool fills = count * lanes >= int64_t{gpu.multiprocessors} * 256, fits = length <= lanes * 64;
      const bool spread = config.lanes * config.rows > 32 || count <= int64_t{gpu.multiprocessors} * 16;
      found.push_back(
          {config.id(), us + (fits ? 0 : 2) + (fills || lanes >= 128 ? 0 : 0.5) + (spread ? 0 : 0.5)});
    }
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Rows rows = rows_of(problem);
    const Epilogue epilogue = epilogue_of(problem, rows);
    const auto [lanes, block_rows] = Config::parse(candidate);
    int64_t steps = 0;
    if (rows.length.is_constant()) {
      const int64_t each = int64_t{lanes} * epilogue.vector();
      steps = (rows.length.constant() + each - 1) / each;
      constexpr int64_t most_kept = 64;  // registers
      if (steps * epilogue.vector() > most_kept) steps = 0;
    }
    const auto loads = [&](const char* name, int input) {
      return fmt::format(
          "BURNISH_DEVICE void load_{}(const Operands& p, int j, float (&of)[VECTOR]) {{ {} }}\n", name,
          input < 0 ? ""
                    : fmt::format("load<Element, VECTOR>(of, {} + j);", operand_pointer(problem, input)));
    };
    const auto known = [&](int input) { return input < 0 || problem.is_weight(input); };
    constexpr int64_t most_affine = 32;  // registers for each
    const bool early = rows.scale >= 0 && known(rows.scale) && known(rows.shift) && steps > 0 &&
                       steps * epilogue.vector() <= most_affine;
    return fmt::format("using Element = {};\nconstexpr float EPSILON = {:a}f;\n", memory_type(rows.dtype),
                       static_cast<float>(rows.epsilon)) +
           constants_text({{"KIND", static_cast<int>(rows.kind)},
                           {"LANES", lanes},
                           {"ROWS", block_rows},
                           {"STEPS", steps},
                           {"AFFINE_EARLY", early},
                           {"HAS_SHIFT", rows.shift >= 0}}) +
           epilogue.text() + RowInput(problem, rows.node, rows.input).text() + loads("scale", rows.scale) +
           loads("shift", rows.shift) + kernel_text("rows");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Rows rows = rows_of(problem);
    Sizes sizes;
    sizes.add("length", rows.length);
    sizes.add("total_rows", rows.as_contraction.total_rows);
    sizes.add("rows", rows.as_contraction.rows);
    epilogue_of(problem, rows).add_sizes(sizes);
    RowInput(problem, rows.node, rows.input).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    const Config config = Config::parse(candidate);
    Launch launch;
    launch.threads = static_cast<unsigned>(config.lanes * config.rows);
    launch.grid[0] = static_cast<unsigned>(
        (rows_of(problem).as_contraction.total_rows.constant() + config.rows - 1) / config.rows);
    return {launch};
  }
};

}  // namespace

const device::Tactic& rows_tactic() {
  static const RowsTactic tactic;
  return tactic;
}

}  // namespace burnish::cuda
