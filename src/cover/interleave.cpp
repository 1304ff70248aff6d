#include "cover/interleave.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/parallel.h"
#include "cover/regions.h"
#include "cover/search.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cover {
namespace {

/// What 16-byte accesses need of offsets and pitches.
constexpr int64_t alignment = 16;

class Interleaver {
 public:
  Interleaver(ir::Graph& graph, std::vector<device::Choice>& choices, tune::Tuner& tuner)
      : graph_(graph), choices_(choices), tuner_(tuner) {}

  double run() {
    while (true) {
      propose();
      compile();
      const std::set<ir::NodeId> refused = judge();
      if (refused.empty()) return take();
      banned_.insert(refused.begin(), refused.end());
      for (const auto& [id, problem] : problems_) forget_pitches(id);
    }
  }

 private:
  device::Choice& choice(ir::NodeId id) { return choices_[static_cast<size_t>(id.index)]; }

  /// Frees as many concatenations as the kernels' tactics allow; those that are parts of others come after
  /// them.
  void propose() {
    freed_.clear();
    problems_.clear();
    std::vector<ir::NodeId> order = graph_.order();
    for (size_t i = order.size(); i-- > 0;)
      if (!banned_.contains(order[i]) && fits(order[i]) && pitch_parts(order[i])) freed_.push_back(order[i]);
    if (freed_.empty()) return;
    for (ir::NodeId id : order) {
      if (choice(id).tactic.empty()) continue;
      device::Problem problem = device::Problem::of(graph_, id);
      if (problem.has_pitch()) problems_.emplace(id, std::move(problem));
    }
  }

  /// A concatenation of channels in channels-last tensors that kernels make for it alone, at aligned places.
  bool fits(ir::NodeId id) {
    const ir::Node& node = graph_.node(id);
    if (node.op != &ops::def::concat || choice(id).tactic.empty() || node.inputs.size() < 2) return false;
    const ir::TensorType& whole = graph_.value(node.outputs[0]).type;
    if (whole.layout != ir::Layout::nhwc || whole.rank() < 3 || !whole.shape[1].is_constant()) return false;
    if (ops::normalize_axis(node.attributes.as<ops::AxisAttributes>().axis, whole.rank()) != 1) return false;
    const int64_t bytes = dtype_bytes(whole.dtype);
    int64_t offset = 0;
    std::set<ir::ValueId> parts;
    for (ir::ValueId input : node.inputs) {
      if (!input || !parts.insert(input).second) return false;
      const ir::Value& part = graph_.value(input);
      const bool made = part.producer && !part.constant_only && !graph_.is_output(input) &&
                        !choice(part.producer).tactic.empty();
      if (!made || part.type.layout != ir::Layout::nhwc || part.type.pitch ||
          !part.type.shape[1].is_constant())
        return false;
      if (part.type.shape[1].is(0) || offset * bytes % alignment) return false;
      offset += part.type.shape[1].constant();
    }
    return pitch_of(whole) * bytes % alignment == 0;
  }

  static int64_t pitch_of(const ir::TensorType& whole) {
    return whole.pitch ? whole.pitch : whole.shape[1].constant();
  }

  /// Who writes or reads a part of the concatenation, itself too.
  std::set<ir::NodeId> around(ir::NodeId concat) const {
    std::set<ir::NodeId> nodes;
    for (ir::ValueId part : graph_.node(concat).inputs) {
      nodes.insert(graph_.value(part).producer);
      for (const ir::Use& use : graph_.value(part).uses) nodes.insert(use.node);
    }
    return nodes;
  }

  /// Gives the parts the whole's pitch; false, and nothing changes, where a kernel does not take that.
  bool pitch_parts(ir::NodeId concat) {
    const ir::Node& node = graph_.node(concat);
    const int64_t pitch = pitch_of(graph_.value(node.outputs[0]).type);
    for (ir::ValueId part : node.inputs) graph_.value(part).type.pitch = pitch;
    const std::set<ir::NodeId> nodes = around(concat);
    if (std::all_of(nodes.begin(), nodes.end(), [&](ir::NodeId id) { return runs(id); })) return true;
    for (ir::ValueId part : node.inputs) graph_.value(part).type.pitch = 0;
    return false;
  }

  bool runs(ir::NodeId id) {
    const device::Tactic* tactic =
        choice(id).tactic.empty() ? nullptr : device::find_tactic(tuner_.device(), choice(id).tactic);
    return tactic && device::runs(*tactic, device::Problem::of(graph_, id), tuner_.device().info());
  }

  const device::Tactic& tactic_of(ir::NodeId id) {
    return *device::find_tactic(tuner_.device(), choice(id).tactic);
  }

  /// The code of all kernels that change, side by side; a freed concatenation keeps one for shapes that the
  /// plan cannot free.
  void compile() {
    std::vector<std::pair<ir::NodeId, const device::Problem*>> wanted;
    for (const auto& [id, problem] : problems_)
      if (!codes_.contains(key(id))) wanted.emplace_back(id, &problem);
    std::vector<std::optional<std::string>> codes(wanted.size());
    parallel_for(static_cast<int64_t>(wanted.size()), 1, [&](int64_t begin, int64_t end) {
      for (size_t i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        const auto& [id, problem] = wanted[i];
        try {
          codes[i] = tactic_of(id).compile(*problem, {choice(id).candidate, 0}, tuner_.device());
        } catch (const Error&) {  // judge() sees that there is none
        }
      }
    });
    for (size_t i = 0; i < wanted.size(); ++i)
      if (codes[i]) codes_[key(wanted[i].first)] = std::move(*codes[i]);
  }

  std::string key(ir::NodeId id) {
    return choice(id).tactic + " " + choice(id).candidate + " " + problems_.at(id).text();
  }

  /// The freed concatenations that are better made by a kernel: where a kernel round them would be wrong, or
  /// where those kernels together are slower than they were with it, by more than counts.
  std::set<ir::NodeId> judge() {
    timed_.clear();
    for (const auto& [id, problem] : problems_)
      if (!is_freed(id)) timed_[id] = tuner_.try_one(problem, choice(id).tactic, choice(id).candidate);
    std::set<ir::NodeId> refused;
    for (ir::NodeId concat : freed_) {
      double before = choice(concat).microseconds, after = 0;
      bool wrong = false, measured = before > 0;
      for (ir::NodeId id : around(concat)) {
        wrong = wrong || !codes_.contains(key(id)) || (!is_freed(id) && !timed_.at(id));
        if (wrong || is_freed(id)) continue;
        measured = measured && timed_.at(id)->measured && choice(id).microseconds > 0;
        before += choice(id).microseconds;
        after += timed_.at(id)->microseconds;
      }
      if (wrong || (measured && after > before * (1 + equally_fast))) refused.insert(concat);
    }
    return refused;
  }

  bool is_freed(ir::NodeId id) const { return std::find(freed_.begin(), freed_.end(), id) != freed_.end(); }

  double take() {
    double saved = 0;
    for (const auto& [id, problem] : problems_) {
      device::Choice& chosen = choice(id);
      const double before = chosen.microseconds;
      chosen.code = codes_.at(key(id));
      chosen.constants = tactic_of(id).pack(problem, {chosen.candidate, 0}, weights_of(graph_, id, problem),
                                            tuner_.device());
      if (is_freed(id))
        chosen.microseconds = 0;
      else if (before > 0 && timed_.at(id)->measured)
        chosen.microseconds = timed_.at(id)->microseconds;
      saved += before - chosen.microseconds;
    }
    return saved;
  }

  void forget_pitches(ir::NodeId id) {
    for (ir::ValueId input : graph_.node(id).inputs)
      if (input) graph_.value(input).type.pitch = 0;
    for (ir::ValueId output : graph_.node(id).outputs)
      if (output) graph_.value(output).type.pitch = 0;
  }

  ir::Graph& graph_;
  std::vector<device::Choice>& choices_;
  tune::Tuner& tuner_;
  std::set<ir::NodeId> banned_;
  std::vector<ir::NodeId> freed_;
  std::map<ir::NodeId, device::Problem> problems_;  // with pitches
  std::map<ir::NodeId, const tune::Timed*> timed_;  // null: refused
  std::map<std::string, std::string> codes_;        // by kernel and problem
};

}  // namespace

double interleave_concats(ir::Graph& graph, std::vector<device::Choice>& choices, tune::Tuner& tuner) {
  return Interleaver(graph, choices, tuner).run();
}

}  // namespace burnish::cover
