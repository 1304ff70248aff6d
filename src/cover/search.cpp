#include "cover/search.h"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/error.h"
#include "ops/control.h"

namespace burnish::cover {
namespace {

constexpr size_t beam_width = 24;
/// What a kernel is charged beyond its time, as a share of the whole: more of it finds covers of fewer kernels.
constexpr double surcharges[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04};

uint8_t bit(ir::Layout layout) { return static_cast<uint8_t>(1u << static_cast<unsigned>(layout)); }

struct Step {
  Decision decision;
  std::shared_ptr<const Step> previous;
};

/// A partial cover.
struct State {
  double cost = 0;
  int kernels = 0;
  std::vector<std::pair<int32_t, uint8_t>> layouts;  // by value index, sorted: in which layouts it is there
  std::vector<int> begun;                            // regions begun whose last node is still to come, sorted
  std::shared_ptr<const Step> steps;

  uint8_t mask(int32_t value) const {
    const auto at = std::lower_bound(layouts.begin(), layouts.end(), std::pair<int32_t, uint8_t>{value, 0});
    return at != layouts.end() && at->first == value ? at->second : 0;
  }
  void set(int32_t value, uint8_t mask) {
    const auto at = std::lower_bound(layouts.begin(), layouts.end(), std::pair<int32_t, uint8_t>{value, 0});
    if (at != layouts.end() && at->first == value) at->second = mask;
    else layouts.insert(at, {value, mask});
  }
  std::string key() const {
    std::string text(reinterpret_cast<const char*>(layouts.data()), 0);
    for (const auto& [value, mask] : layouts) {
      text.append(reinterpret_cast<const char*>(&value), sizeof value);
      text.push_back(static_cast<char>(mask));
    }
    text.push_back('|');
    for (int region : begun) text.append(reinterpret_cast<const char*>(&region), sizeof region);
    return text;
  }
};

struct Found {
  std::vector<Decision> decisions;
  double microseconds = 0;
  int kernels = 0;
};

class Search {
 public:
  Search(const ir::Graph& graph, const std::vector<Weighed>& weighed, const ReformatCost& reformat_cost)
      : graph_(graph), weighed_(weighed), reformat_cost_(reformat_cost), order_(graph.order()), starting_(order_.size()) {
    for (size_t i = 0; i < weighed.size(); ++i)
      if (!weighed[i].options.empty()) starting_[static_cast<size_t>(weighed[i].region.positions.front())].push_back(static_cast<int>(i));
    find_last_needs();
  }

  Found run(double surcharge) {
    surcharge_ = surcharge;
    std::vector<State> states(1);
    for (ir::ValueId input : graph_.inputs()) states[0].set(input.index, bit(ir::Layout::plain));
    for (size_t position = 0; position < order_.size(); ++position) {
      states = advance(states, static_cast<int>(position));
      require(!states.empty(), "node '{}' ({}): no kernel of the device takes it and what surrounds it", graph_.node(order_[position]).source, graph_.node(order_[position]).op->name);
    }
    const auto best = std::min_element(states.begin(), states.end(), [](const State& a, const State& b) { return a.cost < b.cost; });
    Found found{{}, best->cost - surcharge * best->kernels, best->kernels};
    for (auto step = best->steps; step; step = step->previous) found.decisions.push_back(step->decision);
    std::reverse(found.decisions.begin(), found.decisions.end());
    return found;
  }

 private:
  /// Adds a kernel's time, none of it for what needs no kernel.
  void charge(State& state, double microseconds) const {
    if (microseconds == 0) return;
    state.cost += microseconds + surcharge_;
    ++state.kernels;
  }

  /// The position after which no region can want a value any more.
  void find_last_needs() {
    std::vector<int> node_end(graph_.node_capacity(), -1);
    for (size_t i = 0; i < order_.size(); ++i) node_end[static_cast<size_t>(order_[i].index)] = static_cast<int>(i);
    for (const Weighed& one : weighed_)
      for (ir::NodeId id : one.region.nodes)
        node_end[static_cast<size_t>(id.index)] = std::max(node_end[static_cast<size_t>(id.index)], one.region.positions.back());
    last_need_.assign(graph_.value_capacity(), -1);
    for (ir::NodeId id : order_)
      for (ir::ValueId input : graph_.node(id).inputs)
        if (input) last_need_[static_cast<size_t>(input.index)] = std::max(last_need_[static_cast<size_t>(input.index)], node_end[static_cast<size_t>(id.index)]);
  }

  std::vector<State> advance(const std::vector<State>& states, int position) {
    const ir::NodeId id = order_[static_cast<size_t>(position)];
    const ir::Node& node = graph_.node(id);
    std::vector<State> next;
    const bool weight = !node.outputs.empty() && graph_.value(node.outputs[0]).constant_only;
    const ops::OpDef& op = ops::definition(node);
    if (weight) return states;
    const bool own_kernel = !op.view && !ops::is_control(op);
    for (const State& state : states) {
      const int ending = region_at(state, position);
      if (!own_kernel && ending < 0) {
        next.push_back(pass_plain(state, node));
        continue;
      }
      if (ending >= 0) {
        if (weighed_[static_cast<size_t>(ending)].region.positions.back() == position) emit(state, ending, next);
        else next.push_back(state);
        continue;
      }
      for (int region : starting_[static_cast<size_t>(position)]) {
        if (overlaps(state, weighed_[static_cast<size_t>(region)].region)) continue;
        State begun = state;
        begun.begun.insert(std::upper_bound(begun.begun.begin(), begun.begun.end(), region), region);
        if (weighed_[static_cast<size_t>(region)].region.positions.back() == position) emit(begun, region, next);
        else next.push_back(std::move(begun));
      }
    }
    for (State& state : next) std::erase_if(state.layouts, [&](const auto& entry) { return last_need_[static_cast<size_t>(entry.first)] <= position; });
    return prune(std::move(next));
  }

  /// The begun region that covers `position`, or -1.
  int region_at(const State& state, int position) const {
    for (int region : state.begun) {
      const auto& positions = weighed_[static_cast<size_t>(region)].region.positions;
      if (std::binary_search(positions.begin(), positions.end(), position)) return region;
    }
    return -1;
  }

  bool overlaps(const State& state, const Region& region) const {
    return std::any_of(region.positions.begin(), region.positions.end(), [&](int position) { return region_at(state, position) >= 0; });
  }

  /// Adds the cheapest way to have `value` in `layout`.
  void want(State& state, ir::ValueId value, ir::Layout layout) const {
    if (!value || graph_.value(value).constant_only) return;
    const uint8_t mask = state.mask(value.index);
    if (mask & bit(layout)) return;
    double cheapest = -1;
    for (int from = 0; from < 4; ++from) {
      if (!(mask & (1u << from))) continue;
      const double cost = reformat_cost_(graph_.value(value).type, static_cast<ir::Layout>(from), layout);
      if (cheapest < 0 || cost < cheapest) cheapest = cost;
    }
    charge(state, std::max(cheapest, 0.0));
    state.set(value.index, static_cast<uint8_t>(mask | bit(layout)));
  }

  State pass_plain(State state, const ir::Node& node) const {
    for (ir::ValueId input : node.inputs) want(state, input, ir::Layout::plain);
    for (ir::ValueId output : node.outputs) state.set(output.index, bit(ir::Layout::plain));
    return state;
  }

  void emit(const State& from, int region, std::vector<State>& next) const {
    const Weighed& one = weighed_[static_cast<size_t>(region)];
    for (size_t option = 0; option < one.options.size(); ++option) {
      State state = from;
      std::erase(state.begun, region);
      const std::vector<ir::Layout>& layouts = one.options[option].layouts;
      const size_t inputs = static_cast<size_t>(one.problem.input_count());
      for (size_t i = 0; i < inputs; ++i) want(state, operand(graph_, one.region, one.problem, static_cast<int>(i)), layouts[i]);
      for (size_t i = 0; i < one.region.outputs.size(); ++i) {
        const ir::ValueId output = one.region.outputs[i];
        state.set(output.index, bit(layouts[inputs + i]));
        if (graph_.is_output(output)) want(state, output, ir::Layout::plain);
      }
      charge(state, one.options[option].microseconds);
      state.steps = std::make_shared<Step>(Step{{region, static_cast<int>(option)}, from.steps});
      next.push_back(std::move(state));
    }
  }

  std::vector<State> prune(std::vector<State> states) const {
    std::stable_sort(states.begin(), states.end(), [](const State& a, const State& b) { return a.cost < b.cost; });
    std::unordered_map<std::string, bool> seen;
    std::vector<State> kept;
    for (State& state : states) {
      if (kept.size() >= beam_width) break;
      if (seen.emplace(state.key(), true).second) kept.push_back(std::move(state));
    }
    return kept;
  }

  const ir::Graph& graph_;
  const std::vector<Weighed>& weighed_;
  const ReformatCost& reformat_cost_;
  const std::vector<ir::NodeId> order_;
  std::vector<std::vector<int>> starting_;  // regions by the position of their first node
  std::vector<int> last_need_;              // by value index
  double surcharge_ = 0;                    // microseconds
};

}  // namespace

std::vector<Decision> search(const ir::Graph& graph, const std::vector<Weighed>& weighed, const ReformatCost& reformat_cost, double* total) {
  Search one(graph, weighed, reformat_cost);
  std::vector<Found> found = {one.run(0)};
  double fastest = found[0].microseconds;
  for (const double share : surcharges) {
    found.push_back(one.run(share * found[0].microseconds));
    fastest = std::min(fastest, found.back().microseconds);
  }
  const Found* best = nullptr;
  for (const Found& cover : found)
    if (cover.microseconds <= fastest * (1 + equally_fast) && (!best || cover.kernels < best->kernels)) best = &cover;
  if (total) *total = best->microseconds;
  return best->decisions;
}

}  // namespace burnish::cover
