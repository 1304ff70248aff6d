#include "cover/cover.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/parallel.h"
#include "cover/interleave.h"
#include "cover/search.h"
#include "device/layout.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cover {
namespace {

using LayoutSet = std::vector<ir::Layout>;

/// Sets of layouts that some tactic proposes for the problem and runs it with; all plain where none does.
std::vector<LayoutSet> layout_sets(const device::Problem& problem, const device::Device& device) {
  const size_t tensors = static_cast<size_t>(problem.input_count() + problem.output_count());
  std::vector<LayoutSet> sets;
  for (const device::Tactic* tactic : device.tactics())
    for (LayoutSet& set : tactic->layouts(problem, device.info()))
      if (set.size() == tensors && std::find(sets.begin(), sets.end(), set) == sets.end() && tactic->supports(problem.with_layouts(set), device.info()))
        sets.push_back(std::move(set));
  if (sets.empty()) sets.emplace_back(tensors, ir::Layout::plain);
  return sets;
}

/// What to go by where nothing was measured: the model knows nothing of layouts, the tactic's own order of them does.
double guess(const device::Problem& plain, const LayoutSet& layouts, const tune::Timed& timed, const device::Device& device) {
  if (timed.measured) return timed.microseconds;
  const std::vector<LayoutSet> proposed = timed.tactic->layouts(plain, device.info());
  const auto rank = std::find(proposed.begin(), proposed.end(), layouts) - proposed.begin();
  constexpr double step = 0.25;
  return timed.microseconds * (1 + step * static_cast<double>(rank));
}

/// The reformat between two layouts as a problem of its own.
device::Problem reformat_problem(const ir::TensorType& type, ir::Layout from, ir::Layout to, const ir::Graph& graph) {
  ir::Graph scratch("scratch");
  scratch.symbols = graph.symbols;
  ir::TensorType source = type, target = type;
  source.layout = from;
  target.layout = to;
  const ir::ValueId input = scratch.add_input("x", source);
  const ir::NodeId node = scratch.add_node(ops::def::reformat, ir::Attributes(), {input}, 1);
  scratch.value(scratch.node(node).outputs[0]).type = target;
  scratch.outputs.push_back({"", scratch.node(node).outputs[0]});
  return device::Problem::of(scratch, node);
}

/// Turns decisions into nodes, reformats and choices.
class Builder {
 public:
  Builder(ir::Graph& graph, tune::Tuner& tuner) : graph_(graph), tuner_(tuner) {}

  std::vector<device::Choice> build(const std::vector<Weighed>& weighed, const std::vector<Decision>& decisions) {
    for (const Decision& decision : decisions) {
      const Weighed& one = weighed[static_cast<size_t>(decision.weighed)];
      place(one, one.options[static_cast<size_t>(decision.option)]);
    }
    // Whatever passes plain values on, and the results, must see the plain form.
    for (ir::NodeId id : graph_.order()) {
      const ir::Node& node = graph_.node(id);
      if (!choices_[id.index].tactic.empty()) continue;
      for (size_t i = 0; i < node.inputs.size(); ++i)
        if (node.inputs[i]) graph_.set_input(id, i, in_layout(node.inputs[i], ir::Layout::plain, id));
    }
    for (ir::Output& output : graph_.outputs) output.value = in_layout(output.value, ir::Layout::plain, {});
    compile();
    graph_.sort();
    std::vector<device::Choice> choices(graph_.node_capacity());
    for (auto& [index, choice] : choices_) choices[static_cast<size_t>(index)] = std::move(choice);
    return choices;
  }

 private:
  void place(const Weighed& one, const Option& option) {
    Region region = one.region;
    for (ir::ValueId& input : region.inputs) input = current(input);
    std::vector<ir::ValueId> old_outputs = region.outputs;
    const ir::NodeId made = replace_by_node(graph_, region, region.inputs);
    const ir::Node& node = graph_.node(made);
    for (size_t i = 0; i < old_outputs.size(); ++i) {
      renamed_[old_outputs[i]] = node.outputs[i];
      graph_.value(node.outputs[i]).type.layout = option.layouts[static_cast<size_t>(one.problem.input_count()) + i];
    }
    for (int i = 0; i < one.problem.input_count(); ++i) {
      const ir::ValueId operand = node.inputs[static_cast<size_t>(one.problem.node_inputs()[static_cast<size_t>(i)])];
      const ir::ValueId wanted = in_layout(operand, option.layouts[static_cast<size_t>(i)], made);
      for (size_t j = 0; j < node.inputs.size(); ++j)
        if (node.inputs[j] == operand && (node.op != &ops::def::region || static_cast<int>(j) == one.problem.node_inputs()[static_cast<size_t>(i)])) graph_.set_input(made, j, wanted);
    }
    choose(made, *option.timed);
  }

  void choose(ir::NodeId id, const tune::Timed& timed) {
    const device::Problem problem = device::Problem::of(graph_, id);
    device::Choice choice;
    choice.tactic = timed.tactic->name();
    choice.candidate = timed.candidate.id;
    choice.microseconds = timed.measured ? timed.microseconds : 0;
    choice.alternatives = timed.alternatives;
    chosen_.push_back({id.index, problem, &timed});
    choice.constants = timed.tactic->pack(problem, timed.candidate, weights_of(graph_, id, problem), tuner_.device());
    choices_[id.index] = std::move(choice);
  }

  /// What was compiled to be measured is compiled anew where the sizes are left open.
  void compile() {
    parallel_for(static_cast<int64_t>(chosen_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Chosen& one = chosen_[static_cast<size_t>(i)];
        choices_.at(one.node).code = one.timed->tactic->compile(one.problem, one.timed->candidate, tuner_.device());
      }
    });
  }

  ir::ValueId current(ir::ValueId value) const {
    const auto found = renamed_.find(value);
    return found == renamed_.end() ? value : found->second;
  }

  /// `value` in `layout`: itself, or a reformat of it, made before `user` (or at the end) and used again later.
  ir::ValueId in_layout(ir::ValueId value, ir::Layout layout, ir::NodeId user) {
    const ir::Value& is = graph_.value(value);
    if (is.constant_only || is.type.layout == layout) return value;
    const auto known = reformatted_.find({value, layout});
    if (known != reformatted_.end()) return known->second;
    // Right after the producer: whoever wants this form later in the order finds it made.
    const ir::NodeId before = is.producer ? graph_.node(is.producer).next : user;
    ir::TensorType type = is.type;
    const ir::Layout from = type.layout;
    type.layout = layout;
    const ir::NodeId made = graph_.add_node(ops::def::reformat, ir::Attributes(), {value}, 1, {is.name + "." + std::string(ir::layout_name(layout))}, before);
    const ir::ValueId output = graph_.node(made).outputs[0];
    graph_.value(output).type = type;
    graph_.node(made).source = is.producer ? graph_.node(is.producer).source : is.name;
    const device::Problem problem = reformat_problem(is.type, from, layout, graph_);
    const tune::Timed* timed = device::lies_alike(is.type.shape, from, layout) ? tuner_.free_of_charge(problem) : tuner_.best(problem);
    require(timed != nullptr, "internal: no kernel brings {} to layout {}", is.type.str(), ir::layout_name(layout));
    reformatted_[{value, layout}] = output;
    choose(made, *timed);
    return output;
  }

  struct Chosen {
    int32_t node;
    device::Problem problem;
    const tune::Timed* timed;
  };

  ir::Graph& graph_;
  tune::Tuner& tuner_;
  std::map<int32_t, device::Choice> choices_;
  std::vector<Chosen> chosen_;  // whose code is still to be made
  std::map<ir::ValueId, ir::ValueId> renamed_;
  std::map<std::pair<ir::ValueId, ir::Layout>, ir::ValueId> reformatted_;
};

/// Finds the options of one region after another; a region must come after those that grew longer from its anchor.
class Weigher {
 public:
  /// `measures`: false to tell the tuner beforehand what it will be asked for; options are then untimed.
  Weigher(const ir::Graph& graph, tune::Tuner& tuner, bool measures) : graph_(graph), tuner_(tuner), measures_(measures) {}

  void weigh(const Region& region) {
    Weighed one{region, region_problem(graph_, region), {}, {}};
    const Weighed* longer = longer_one(one);
    for (const LayoutSet& layouts : sets_for(one.problem)) add_option(one, layouts, longer);
    // All that the device proposes for an op may be refused when it is tried; the reference takes it as it lies in plain layout.
    if (one.options.empty() && region.nodes.size() == 1) add_option(one, LayoutSet(sets_for(one.problem).front().size(), ir::Layout::plain), nullptr);
    // The fallback is for what nothing else runs.
    const bool real = std::any_of(one.options.begin(), one.options.end(), [](const Option& option) { return !option.timed->tactic->is_fallback(); });
    if (real) std::erase_if(one.options, [](const Option& option) { return option.timed->tactic->is_fallback(); });
    weighed_.push_back(std::move(one));
  }

  /// In the reverse order of weigh().
  std::vector<Weighed> take() {
    std::reverse(weighed_.begin(), weighed_.end());
    return std::move(weighed_);
  }

 private:
  /// The shortest of the regions that go on behind this one with ops that cost next to nothing; null if there is none.
  const Weighed* longer_one(const Weighed& one) const {
    for (size_t i = weighed_.size(); i-- > 0 && weighed_[i].region.anchor == one.region.anchor;)
      if (adds_cheap_ops(graph_, weighed_[i].region, one.region)) return &weighed_[i];
    return nullptr;
  }

  const std::vector<LayoutSet>& sets_for(const device::Problem& problem) {
    auto sets = sets_of_.find(problem.text());
    if (sets == sets_of_.end()) sets = sets_of_.emplace(problem.text(), layout_sets(problem, tuner_.device())).first;
    return sets->second;
  }

  void add_option(Weighed& one, const LayoutSet& layouts, const Weighed* longer) {
    device::Problem problem = one.problem.with_layouts(layouts);
    // Where no kernel of the device takes it, the fallback below does.
    if (const tune::Timed* free = is_free(problem) ? tuner_.free_of_charge(problem) : nullptr) {
      one.options.push_back({layouts, problem, free, 0});
      return;
    }
    if (const Option* whole = longer ? same_layouts(*longer, one, layouts) : nullptr) {
      // Measured each by itself, a kernel with such ops behind it and one without differ by noise: the short one
      // and a second kernel would win half of the time.
      if (tuner_.offers_as_much(whole->problem, problem) && tuner_.offers(problem, *whole->timed)) {
        one.options.push_back({layouts, problem, measures_ ? tuner_.as_for(problem, *whole->timed) : whole->timed, whole->microseconds});
        return;
      }
    }
    // A region that only the reference could run is no better than its parts.
    const bool allow_fallback = one.region.nodes.size() == 1;
    if (!measures_) {
      if (const tune::Timed* timed = tuner_.expect(problem)) one.options.push_back({layouts, std::move(problem), timed, 0});
      return;
    }
    if (const tune::Timed* timed = tuner_.best(problem, allow_fallback))
      one.options.push_back({layouts, std::move(problem), timed, guess(one.problem, layouts, *timed, tuner_.device())});
    else if (one.refusal.empty()) one.refusal = tuner_.refusal(problem);
  }

  /// The longer region's option in which what both read, and what they make, has the same layouts.
  const Option* same_layouts(const Weighed& longer, const Weighed& one, const LayoutSet& layouts) const {
    std::map<ir::ValueId, ir::Layout> wanted;
    for (int i = 0; i < one.problem.input_count(); ++i) wanted[operand(graph_, one.region, one.problem, i)] = layouts[static_cast<size_t>(i)];
    for (const Option& option : longer.options) {
      bool same = option.layouts.back() == layouts.back() && !option.timed->tactic->is_fallback();
      for (int i = 0; same && i < longer.problem.input_count(); ++i) {
        const auto known = wanted.find(operand(graph_, longer.region, longer.problem, i));
        same = known == wanted.end() || known->second == option.layouts[static_cast<size_t>(i)];
      }
      if (same) return &option;
    }
    return nullptr;
  }

  /// A concatenation whose parts the plan has written where they belong, or a transpose that a change of layout makes up for.
  static bool is_free(const device::Problem& problem) {
    if (const ir::Node* transpose = problem.single(ops::def::transpose); transpose && problem.input_count() == 1)
      return !problem.is_weight(0) && device::transposes_in_memory(problem.input(0).shape, transpose->attributes.as<ops::TransposeAttributes>().perm,
                                                                   problem.input(0).layout, problem.output(0).layout);
    const ir::Node* node = problem.single(ops::def::concat);
    if (!node || problem.output_count() != 1) return false;
    std::vector<std::vector<ir::Dim>> parts;
    for (int i = 0; i < problem.input_count(); ++i) {
      if (problem.is_weight(i) || problem.input(i).layout != problem.output(0).layout) return false;
      parts.push_back(problem.input(i).shape);
    }
    const int64_t axis = ops::normalize_axis(node->attributes.as<ops::AxisAttributes>().axis, problem.output(0).rank());
    return device::concatenates_in_memory(parts, axis, problem.output(0).layout);
  }

  const ir::Graph& graph_;
  tune::Tuner& tuner_;
  const bool measures_;
  std::vector<Weighed> weighed_;
  std::map<std::string, std::vector<LayoutSet>> sets_of_;
};

/// Tells the tuner of the reformats that any two of the options could need between them.
void expect_reformats(const ir::Graph& graph, tune::Tuner& tuner, const std::vector<Weighed>& weighed) {
  std::map<ir::ValueId, std::set<ir::Layout>> layouts;
  for (const Weighed& one : weighed)
    for (const Option& option : one.options) {
      const size_t inputs = static_cast<size_t>(one.problem.input_count());
      for (size_t i = 0; i < option.layouts.size(); ++i)
        layouts[i < inputs ? operand(graph, one.region, one.problem, static_cast<int>(i)) : one.region.outputs[i - inputs]].insert(option.layouts[i]);
    }
  for (const auto& [value, set] : layouts)
    for (ir::Layout from : set)
      for (ir::Layout to : set)
        if (const ir::Value& is = graph.value(value); !is.constant_only && !device::lies_alike(is.type.shape, from, to)) tuner.expect(reformat_problem(is.type, from, to, graph));
}

/// Goes through what weighing will ask for without measuring any of it, so that compiling runs ahead of measuring.
void foresee(const ir::Graph& graph, tune::Tuner& tuner, const std::vector<Region>& regions, const CoverOptions& options) {
  Weigher weigher(graph, tuner, false);
  for (size_t i = regions.size(); i-- > 0;) {
    if (options.cancelled && options.cancelled()) throw Cancelled();
    weigher.weigh(regions[i]);
  }
  expect_reformats(graph, tuner, weigher.take());
}

std::vector<Weighed> weigh_all(const ir::Graph& graph, tune::Tuner& tuner, const CoverOptions& options) {
  Weigher weigher(graph, tuner, true);
  std::vector<Region> regions = find_regions(graph);
  if (!options.fuse) std::erase_if(regions, [](const Region& region) { return region.nodes.size() > 1; });
  if (tuner.compiles_ahead()) foresee(graph, tuner, regions, options);
  for (size_t i = regions.size(); i-- > 0;) {
    if (options.cancelled && options.cancelled()) throw Cancelled();
    if (options.on_progress) options.on_progress(1 - static_cast<double>(i + 1) / static_cast<double>(regions.size()));
    weigher.weigh(regions[i]);
  }
  return weigher.take();
}

std::vector<RefusedRegion> refused_regions(const ir::Graph& graph, const std::vector<Weighed>& weighed, const std::vector<Decision>& decisions) {
  const auto inside_one_taken = [&](const std::vector<int>& positions) {
    return std::any_of(decisions.begin(), decisions.end(), [&](const Decision& decision) {
      const std::vector<int>& taken = weighed[static_cast<size_t>(decision.weighed)].region.positions;
      return std::includes(taken.begin(), taken.end(), positions.begin(), positions.end());
    });
  };
  std::vector<RefusedRegion> refused;
  for (const Weighed& one : weighed) {
    if (one.region.nodes.size() == 1 || inside_one_taken(one.region.positions)) continue;
    RefusedRegion& entry = refused.emplace_back();
    entry.where = joined_sources(graph, one.region);
    for (ir::NodeId id : one.region.nodes) entry.ops += (entry.ops.empty() ? "" : ", ") + graph.node(id).op->name;
    entry.reason = !one.options.empty() ? "what was taken in its place is not slower" : !one.refusal.empty() ? one.refusal : "no kernel of the device takes it";
    for (const Option& option : one.options)
      if (option.timed->measured && (entry.microseconds == 0 || option.microseconds < entry.microseconds)) entry.microseconds = option.microseconds;
  }
  return refused;
}

struct Decided {
  std::vector<Weighed> weighed;
  std::vector<Decision> decisions;
  double microseconds = 0;
};

Decided decide(const ir::Graph& graph, tune::Tuner& tuner, const CoverOptions& options) {
  Decided decided{weigh_all(graph, tuner, options), {}, 0};
  std::map<std::string, double> reformat_costs;
  const auto reformat_cost = [&](const ir::TensorType& type, ir::Layout from, ir::Layout to) {
    if (device::lies_alike(type.shape, from, to)) return 0.0;
    const std::string key = fmt::format("{} {} {}", type.str(), static_cast<int>(from), static_cast<int>(to));
    const auto known = reformat_costs.find(key);
    if (known != reformat_costs.end()) return known->second;
    const tune::Timed* timed = tuner.best(reformat_problem(type, from, to, graph));
    // Without a kernel for it, nothing may need it.
    return reformat_costs[key] = timed ? timed->microseconds : 1e12;
  };
  decided.decisions = search(graph, decided.weighed, reformat_cost, &decided.microseconds);
  return decided;
}

}  // namespace

Covered cover(ir::Graph& graph, tune::Tuner& tuner, const CoverOptions& options) {
  const bool measures = tuner.measures();
  Decided decided = decide(graph, tuner, options);
  if (measures && !tuner.measures()) {  // given up on the way
    tuner.start_over();
    decided = decide(graph, tuner, options);
  }
  tuner.expect_no_more();
  Covered covered;
  covered.microseconds = decided.microseconds;
  covered.refused = refused_regions(graph, decided.weighed, decided.decisions);
  covered.choices = Builder(graph, tuner).build(decided.weighed, decided.decisions);
  graph.remove_dead();
  covered.microseconds -= interleave_concats(graph, covered.choices, tuner);
  ir::verify(graph);
  return covered;
}

}  // namespace burnish::cover
