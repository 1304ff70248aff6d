// Reductions over axes that are neighbours in memory, by kernels/reduce.cuh.
#include <algorithm>
#include <cmath>
#include <map>

#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/infer.h"
#include "ops/reduce.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

/// The kinds in the order of kernels/reduce.cuh.
const std::map<std::string, int>& kinds() {
  static const std::map<std::string, int> kinds = {
      {"reduce_sum", 0}, {"reduce_mean", 1},       {"reduce_max", 2},
      {"reduce_min", 3}, {"reduce_prod", 4},       {"reduce_l1", 5},
      {"reduce_l2", 6},  {"reduce_sum_square", 7}, {"reduce_log_sum", 8}};
  return kinds;
}

/// How a block is divided: threads side by side over vectors of the inner axes, lines of the outer axes, the
/// rest over the length; and the blocks of a cluster that share the length. All are powers of two.
struct Config {
  int threads = 128, across = 1, lines = 1, split = 1;

  std::string id() const { return fmt::format("t{}.x{}.l{}.k{}", threads, across, lines, split); }
  static Config parse(const std::string& id);
  int down() const { return threads / across / lines; }
};
constexpr Config configs[] = {
    // rows that lie along memory: some threads of a warp, warps and blocks for each
    {128, 1, 16, 1},
    {128, 1, 4, 1},
    {128, 1, 1, 1},
    {512, 1, 1, 1},
    {256, 1, 1, 8},
    // columns: few side by side where there are few, so that many blocks share the work
    {128, 2, 1, 1},
    {256, 2, 1, 1},
    {128, 4, 1, 1},
    {256, 4, 1, 1},
    {512, 4, 1, 1},
    {128, 4, 8, 1},
    {256, 16, 1, 1},
    {256, 32, 1, 1},
    {128, 4, 1, 4},
    {256, 4, 1, 4},
    {128, 4, 1, 8},
    {256, 4, 1, 8},
    {512, 4, 1, 8},
    {512, 2, 1, 8},
    {256, 8, 1, 4},
    {256, 8, 1, 8}};
constexpr size_t most_candidates = 6;

Config Config::parse(const std::string& id) {
  const auto found = std::find_if(std::begin(configs), std::end(configs),
                                  [&](const Config& config) { return config.id() == id; });
  require(found != std::end(configs), "'{}' is no candidate of cuda.reduce", id);
  return *found;
}

struct Reduction {
  Dim outer = 1, length = 1, inner = 1;
};

/// True for each dimension that is reduced; nullopt where the axes are not known.
std::optional<std::vector<bool>> reduced_axes(const Problem& problem) {
  const ir::Node& node = problem.node(0);
  const auto& attributes = node.attributes.as<ops::ReduceAttributes>();
  std::vector<int64_t> axes = attributes.axes;
  if (node.inputs.size() > 1 && node.inputs[1]) {
    const auto known = ops::known_contents(problem.body(), node.inputs[1]);
    const auto numbers = known ? ir::constants(*known) : std::nullopt;
    if (!numbers) return std::nullopt;
    axes = *numbers;
  }
  const int64_t rank = problem.input(0).rank();
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !attributes.noop_with_empty_axes);
  for (int64_t axis : axes) reduced[static_cast<size_t>(ops::normalize_axis(axis, rank))] = true;
  return reduced;
}

/// The kept axes of size other than 1 in memory order, by their index in x.
std::vector<int> kept_order(const std::vector<int>& order, const std::vector<Dim>& shape,
                            const std::vector<bool>& reduced) {
  std::vector<int> kept;
  for (int axis : order)
    if (!reduced[static_cast<size_t>(axis)] && !shape[static_cast<size_t>(axis)].is(1)) kept.push_back(axis);
  return kept;
}

Support analyse(const Problem& problem, Reduction& into) {
  if (problem.nodes().size() != 1 || !kinds().contains(problem.op(0).name))
    return Support::no("not a reduction");
  if (problem.input_index(problem.node(0).inputs[0]) != 0) return Support::no("its input is a literal");
  const auto reduced = reduced_axes(problem);
  if (!reduced) return Support::no("the axes are not known at build");
  const ir::TensorType &x = problem.input(0), &y = problem.output(0);
  const std::vector<int> order = physical_order(x.rank(), x.layout);
  int phase = 0;  // before, among and behind the reduced axes
  for (int axis : order) {
    const Dim& size = x.shape[static_cast<size_t>(axis)];
    if (size.is(1)) continue;
    const bool here = (*reduced)[static_cast<size_t>(axis)];
    if (here && phase == 2) return Support::no("the axes are no neighbours in memory");
    if (here)
      phase = 1;
    else if (phase == 1)
      phase = 2;
    (phase == 0   ? into.outer
     : phase == 1 ? into.length
                  : into.inner) = (phase == 0   ? into.outer
                                   : phase == 1 ? into.length
                                                : into.inner) *
                                  size;
  }
  // The output's axes must follow in the same order.
  std::vector<int> source;  // x's axis of each of y's
  for (int axis = 0; axis < x.rank(); ++axis)
    if (!(*reduced)[static_cast<size_t>(axis)] || y.rank() == x.rank()) source.push_back(axis);
  std::vector<int> written;
  for (int axis : physical_order(y.rank(), y.layout)) written.push_back(source.at(static_cast<size_t>(axis)));
  if (kept_order(written, x.shape, *reduced) != kept_order(order, x.shape, *reduced))
    return Support::no("the result lies in another order");
  return Support::yes();
}

Reduction reduction_of(const Problem& problem) {
  Reduction reduction;
  const Support support = analyse(problem, reduction);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return reduction;
}

class Reduce : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.reduce"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    if (problem.input_count() < 1 || problem.input(0).dtype == DType::boolean)
      return Support::no("it takes numbers");
    Reduction reduction;
    if (Support support = analyse(problem, reduction); !support) return support;
    if (!is_floating(problem.input(0).dtype) && kinds().at(problem.op(0).name) >= 5)
      return Support::no("it takes floats");
    if (reduction.length.is(0)) return Support::no("there is nothing to reduce");
    return Support::yes();
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return uniform_layouts(problem);
  }

  std::vector<device::Candidate> configurations(const Problem& any, const Gpu& gpu) const override {
    const Problem problem = any.at_opt();
    const Reduction reduction = reduction_of(problem);
    const bool columns = !reduction.inner.is(1);
    const int64_t vectors = ceil_div(reduction.inner.constant(), vector(problem, reduction));
    // Clusters meet in floats, and every block of one has lines to fold.
    const bool splits = gpu.arch.number >= 90 && any.is_static() &&
                        compute_type(problem.input(0).dtype) == "float" && reduction.length.constant() >= 64;
    std::vector<device::Candidate> found;
    for (const Config& config : configs) {
      if (columns != (config.across > 1) || (config.split > 1 && !splits)) continue;
      if (config.across > 2 && config.across >= 2 * vectors)
        continue;  // half of the threads had nothing to do
      found.push_back({config.id(), estimate(problem, reduction, config, gpu)});
    }
    sort_by_estimate(found);
    if (found.size() > most_candidates) found.resize(most_candidates);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Reduction reduction = reduction_of(problem);
    const Config config = Config::parse(candidate);
    return fmt::format("using Element = {};\n", memory_type(problem.input(0).dtype)) +
           constants_text({{"KIND", kinds().at(problem.op(0).name)},
                           {"THREADS", config.threads},
                           {"SPLIT", config.split},
                           {"TX", config.across},
                           {"TY", config.down()},
                           {"LINES", config.lines},
                           {"VECTOR", vector(problem, reduction)},
                           {"ALONG", reduction.inner.is(1)},
                           {"BATCH", batch(problem, reduction, config)}}) +
           "}\n" + kernel_text("tensor_core") + "namespace burnish {\n" + kernel_text("reduce");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Reduction reduction = reduction_of(problem);
    Sizes sizes;
    sizes.add("outer", reduction.outer);
    sizes.add("length", reduction.length);
    sizes.add("inner", reduction.inner);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string& candidate,
                               const Arch&) const override {
    const Reduction reduction = reduction_of(problem), text = reduction_of(written);
    const Config config = Config::parse(candidate);
    Launch launch;
    launch.threads = static_cast<unsigned>(config.threads);
    launch.cluster[2] = static_cast<unsigned>(config.split);
    launch.grid = {static_cast<unsigned>(blocks(reduction, config, columns(written, text, config))), 1,
                   static_cast<unsigned>(config.split)};
    return {launch};
  }

 private:
  static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
  /// Elements of one access: 16 bytes of the inner axes, or of the length where the inner size is 1.
  static int vector(const Problem& problem, const Reduction& reduction) {
    const Dim& along = reduction.inner.is(1) ? reduction.length : reduction.inner;
    if (!along.is_constant()) return 1;
    int width = static_cast<int>(16 / dtype_bytes(problem.input(0).dtype));
    while (along.constant() % width) width /= 2;
    return width;
  }
  /// The columns of a block.
  static int64_t columns(const Problem& problem, const Reduction& reduction, const Config& config) {
    return config.across * int64_t{reduction.inner.is(1) ? 1 : vector(problem, reduction)};
  }
  static int64_t blocks(const Reduction& reduction, const Config& config, int64_t columns) {
    return ceil_div(reduction.outer.constant(), config.lines) * ceil_div(reduction.inner.constant(), columns);
  }
  /// The steps along the length that one thread takes.
  static int64_t steps(const Problem& problem, const Reduction& reduction, const Config& config) {
    const int64_t all =
        reduction.length.constant() / (reduction.inner.is(1) ? vector(problem, reduction) : 1);
    return ceil_div(ceil_div(all, config.split), config.down());
  }
  /// Loads that a thread has under way: all of its steps, as far as the registers reach.
  static int64_t batch(const Problem& problem, const Reduction& reduction, const Config& config) {
    const int64_t most = std::min(8, 64 / vector(problem, reduction));
    if (!reduction.length.is_constant()) return std::min<int64_t>(most, 4);
    return std::clamp<int64_t>(steps(problem, reduction, config), 1, most);
  }

  /// Microseconds: start and end, the meetings, every wait for a batch of loads, and the slower of the memory
  /// and what one multiprocessor can read.
  static double estimate(const Problem& problem, const Reduction& reduction, const Config& config,
                         const Gpu& gpu) {
    const double bytes =
        static_cast<double>((reduction.outer * reduction.length * reduction.inner).constant() *
                            dtype_bytes(problem.input(0).dtype));
    const double count =
        static_cast<double>(blocks(reduction, config, columns(problem, reduction, config))) * config.split;
    const double waves = std::max(1.0, std::ceil(count * config.threads / (gpu.multiprocessors * 2048.0)));
    const double batches = std::ceil(static_cast<double>(steps(problem, reduction, config)) /
                                     static_cast<double>(batch(problem, reduction, config)));
    const int64_t segment = columns(problem, reduction, config) * dtype_bytes(problem.input(0).dtype);
    const double apart = reduction.inner.is(1) || segment >= 128 ? 1.0 : segment >= 64 ? 1.1 : 1.4;
    const double streaming =
        apart * std::max(bytes / 3e6, bytes / std::min(count, double(gpu.multiprocessors)) / 60e3);
    return 1.0 + (config.split > 1 ? 0.4 : 0) + 0.1 * (config.threads / 256) + waves * batches * 0.5 +
           streaming;
  }
};

}  // namespace

const device::Tactic& reduce_tactic() {
  static const Reduce tactic;
  return tactic;
}

}  // namespace burnish::cuda
