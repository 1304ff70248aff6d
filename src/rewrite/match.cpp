#include "rewrite/match.h"

#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "ops/evaluate.h"

namespace burnish::rewrite {

Tensor ConstantCache::tensor(ir::ValueId id) {
  looks_.insert(id);
  return compute(id);
}

Tensor ConstantCache::compute(ir::ValueId id) {
  const ir::Value& value = graph_.value(id);
  if (value.is_constant()) return value.constant.raw() ? value.constant : Tensor();
  if (!value.constant_only || !value.producer) return {};
  const auto shape = ir::constants(value.type.shape);
  if (!shape || element_count(*shape) > largest) return {};
  if (const auto known = tensors_.find(id); known != tensors_.end()) return known->second;
  const ir::Node& node = graph_.node(value.producer);
  std::vector<Tensor> inputs(node.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    inputs[i] = compute(node.inputs[i]);
    if (inputs[i].empty()) return tensors_[id] = Tensor();
  }
  const auto outputs = ops::evaluate_node(ops::definition(node), node.attributes, inputs,
                                          static_cast<int>(node.outputs.size()), node.bodies);
  return tensors_[id] = outputs[static_cast<size_t>(value.output_index)];
}

bool ConstantCache::is_weight(ir::ValueId id) {
  const ir::Value& value = graph_.value(id);
  if (value.is_constant()) return is_floating(value.type.dtype) && value.constant.size() > 1 && log_.weights.contains(value.name);
  if (!value.constant_only || !value.producer) return false;
  if (const auto known = weights_.find(id); known != weights_.end()) return known->second;
  const std::vector<ir::ValueId>& inputs = graph_.node(value.producer).inputs;
  return weights_[id] = std::any_of(inputs.begin(), inputs.end(), [&](ir::ValueId input) { return input && is_weight(input); });
}

void collect_constants(const ir::Graph& graph, ir::ValueId id, std::set<std::string>& names) {
  std::vector<ir::ValueId> open = {id};
  std::set<ir::ValueId> seen;
  while (!open.empty()) {
    const ir::ValueId at = open.back();
    open.pop_back();
    if (!at || !graph.value(at).constant_only || !seen.insert(at).second) continue;
    if (graph.value(at).is_constant()) names.insert(graph.value(at).name);
    if (const ir::Node* producer = graph.producer(at)) open.insert(open.end(), producer->inputs.begin(), producer->inputs.end());
  }
}

std::set<std::string> ConstantCache::looked_at() const {
  std::set<std::string> names;
  for (ir::ValueId look : looks_) collect_constants(graph_, look, names);
  return names;
}

std::optional<double> ConstantCache::number(ir::ValueId id) { return is_weight(id) ? std::nullopt : fixed_number(id); }

std::optional<double> ConstantCache::fixed_number(ir::ValueId id) {
  if (!graph_.value(id).constant_only) return std::nullopt;
  looks_.insert(id);
  if (const auto known = numbers_.find(id); known != numbers_.end()) return known->second;
  std::optional<double> number;
  const Tensor data = compute(id);
  if (!data.empty() && data.size() > 0 && data.size() <= largest) {
    dispatch(AllTypes{}, data.dtype(), [&]<class T>(Type<T>) {
      const T* elements = data.data<T>();
      const double first = static_cast<double>(elements[0]);
      const bool same = std::all_of(elements, elements + data.size(),
                                    [&](const T& element) { return static_cast<double>(element) == first; });
      if (same) number = first;
    });
  }
  return numbers_[id] = number;
}

Match::Match(const ir::Graph& graph, ConstantCache& constants, const Rule& rule)
    : graph_(graph),
      constants_(constants),
      rule_(rule),
      values_(rule.variables.size()),
      lists_(rule.variables.size()),
      captures_(rule.captures.size()) {}

Argument Match::evaluate(const Term& term) const {
  Argument argument;
  switch (term.kind) {
    case Term::Kind::literal:
      argument.literal = term.literal;
      break;
    case Term::Kind::capture:
      argument.literal = capture(term.slot);
      break;
    case Term::Kind::variable:
      argument.is_variable = true;
      argument.value = value(term.slot);
      argument.list = list(term.slot);
      break;
    case Term::Kind::call: {
      std::vector<Argument> arguments;
      for (const Term& inner : term.arguments) arguments.push_back(evaluate(inner));
      argument.literal = term.function->call(*this, Arguments(std::move(arguments)));
      break;
    }
  }
  return argument;
}

namespace {

/// The tolerance of a number in a pattern: constants were rounded to their element type.
double rounding(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return 1e-3;
    case DType::bf16:
      return 8e-3;
    default:
      return 1e-5;
  }
}

/// Counts axes from the front, so that -1 and rank - 1 compare equal.
ir::AttributeValue from_front(std::string_view name, ir::AttributeValue value, int64_t rank) {
  const auto wrap = [&](int64_t axis) { return axis < 0 ? axis + rank : axis; };
  if (name == "axis") {
    if (auto* axis = std::get_if<int64_t>(&value)) *axis = wrap(*axis);
  } else if (name == "axes") {
    if (auto* axes = std::get_if<std::vector<int64_t>>(&value)) {
      for (int64_t& axis : *axes) axis = wrap(axis);
      std::sort(axes->begin(), axes->end());
    }
  }
  return value;
}

}  // namespace

/// Solves a list of goals ("this pattern fits that value") with backtracking over the order of commutative
/// inputs and over alternatives.
class Matcher {
 public:
  Matcher(Match& match, std::string& near_miss) : match_(match), near_miss_(near_miss) {}

  bool solve_root(ir::NodeId root) { return fits_node(match_.rule_.root(), root, nullptr); }

 private:
  struct Goal {
    const Pattern* pattern;
    ir::ValueId value;
    const Goal* next;
  };
  struct Mark {
    size_t trail, nodes;
  };

  bool solve(const Goal* goal) {
    if (!goal) return conditions_hold();
    return fits(*goal->pattern, goal->value, goal->next);
  }

  bool fits(const Pattern& pattern, ir::ValueId value, const Goal* next) {
    switch (pattern.kind) {
      case Pattern::Kind::variable:
        return fits_variable(pattern, value, next);
      case Pattern::Kind::number:
        return value && fits_number(pattern, value) && solve(next);
      case Pattern::Kind::op: {
        if (!value) return false;
        const ir::Value& held = match_.graph_.value(value);
        return held.producer && names_output(pattern, held.output_index) &&
               fits_node(pattern, held.producer, next);
      }
      case Pattern::Kind::alternatives:
        return std::any_of(pattern.parts.begin(), pattern.parts.end(),
                           [&](const Pattern& part) { return fits(part, value, next); });
    }
    return false;
  }

  /// A pattern inside another stands for output 0; one of a statement for any output that it names.
  static bool names_output(const Pattern& pattern, int32_t output) {
    return pattern.outputs.size() <= 1 ? output == 0 : output < static_cast<int32_t>(pattern.outputs.size());
  }

  bool fits_variable(const Pattern& pattern, ir::ValueId value, const Goal* next) {
    if (!value) return pattern.optional && solve(next);
    if (pattern.slot < 0) return false;  // "_": omitted
    const ir::ValueId bound = match_.value(pattern.slot);
    if (bound) return bound == value && solve(next);
    const Mark mark = save();
    bind(pattern.slot, value);
    if (fits_definition(pattern.slot, value, next)) return true;
    undo(mark);
    return false;
  }

  /// What a statement says of the value that `slot` has just been bound to, if one does.
  bool fits_definition(int slot, ir::ValueId value, const Goal* next) {
    const int definition = match_.rule_.definition_of[static_cast<size_t>(slot)];
    if (definition < 0) return solve(next);
    const Pattern& defined = match_.rule_.definitions[static_cast<size_t>(definition)];
    const size_t output = static_cast<size_t>(match_.graph_.value(value).output_index);
    if (defined.outputs.size() > 1 && (output >= defined.outputs.size() || defined.outputs[output] != slot))
      return false;
    return fits(defined, value, next);
  }

  bool fits_number(const Pattern& pattern, ir::ValueId value) const {
    const auto number = match_.number(value);
    if (!number) return false;
    if (*number == pattern.number) return true;
    if (!std::isfinite(pattern.number)) return false;
    const double tolerance = pattern.tolerance >= 0 ? pattern.tolerance : rounding(match_.type(value).dtype);
    return std::abs(*number - pattern.number) <= tolerance * std::abs(pattern.number);
  }

  bool fits_node(const Pattern& pattern, ir::NodeId id, const Goal* next) {
    if (pattern.kind == Pattern::Kind::alternatives)
      return std::any_of(pattern.parts.begin(), pattern.parts.end(),
                         [&](const Pattern& part) { return fits_node(part, id, next); });
    const ir::Node& node = match_.graph_.node(id);
    if (node.op != pattern.op) return false;
    const Mark mark = save();
    if (fits_attributes(pattern, node) && bind_outputs(pattern, node)) {
      match_.nodes_.push_back(id);
      if (fits_inputs(pattern, node, next)) return true;
    }
    undo(mark);
    return false;
  }

  bool bind_outputs(const Pattern& pattern, const ir::Node& node) {
    if (pattern.outputs.size() > node.outputs.size()) return false;
    for (size_t i = 0; i < pattern.outputs.size(); ++i) {
      if (pattern.outputs[i] < 0 || !node.outputs[i]) continue;
      const ir::ValueId bound = match_.value(pattern.outputs[i]);
      if (bound && bound != node.outputs[i]) return false;
      if (!bound) bind(pattern.outputs[i], node.outputs[i]);
    }
    return true;
  }

  bool fits_inputs(const Pattern& pattern, const ir::Node& node, const Goal* next) {
    if (pattern.commutative) {
      const Goal second{&pattern.parts[1], node.inputs[1], next};
      const Goal first{&pattern.parts[0], node.inputs[0], &second};
      if (solve(&first)) return true;
      if (node.inputs[0] == node.inputs[1]) return false;
      const Goal swapped_second{&pattern.parts[1], node.inputs[0], next};
      const Goal swapped_first{&pattern.parts[0], node.inputs[1], &swapped_second};
      return solve(&swapped_first);
    }
    size_t present = node.inputs.size();
    while (present > 0 && !node.inputs[present - 1]) --present;
    const bool variadic = !pattern.parts.empty() && pattern.parts.back().variadic;
    const size_t single = pattern.parts.size() - (variadic ? 1 : 0);
    if (present > single && !variadic) return false;
    std::vector<Goal> goals(single);
    const Goal* first = next;
    for (size_t i = single; i-- > 0;) {
      goals[i] = {&pattern.parts[i], i < present ? node.inputs[i] : ir::ValueId{}, first};
      first = &goals[i];
    }
    if (!variadic) return solve(first);
    auto& list = match_.lists_[static_cast<size_t>(pattern.parts.back().slot)];
    list.assign(node.inputs.begin() + static_cast<long>(std::min(single, present)),
                node.inputs.begin() + static_cast<long>(present));
    return solve(first);
  }

  bool fits_attributes(const Pattern& pattern, const ir::Node& node) {
    const Braces& braces = pattern.attributes;
    if (braces.named.empty() && braces.all < 0) return node.attributes == node.op->default_attributes;
    const int64_t rank = node.inputs.empty() || !node.inputs[0] ? 0 : match_.type(node.inputs[0]).rank();
    const auto actual = ir::list_attributes(node.attributes);
    const auto defaults = ir::list_attributes(node.op->default_attributes);
    for (size_t i = 0; i < actual.size(); ++i) {
      const auto& [name, value] = actual[i];
      const auto named =
          std::find_if(braces.named.begin(), braces.named.end(),
                       [&, &attribute = name](const auto& entry) { return entry.first == attribute; });
      if (named == braces.named.end()) {
        if (braces.all < 0 && !ir::same_attribute(value, defaults[i].second, 0)) return false;
        continue;
      }
      const ir::AttributeValue seen = from_front(name, value, rank);
      const Term& term = named->second;
      if (term.kind == Term::Kind::capture) {
        if (!capture(term.slot, seen)) return false;
      } else if (!ir::same_attribute(seen, from_front(name, term.literal, rank), term.tolerance)) {
        return false;
      }
    }
    return braces.all < 0 || capture(braces.all, node.attributes);
  }

  bool capture(int slot, const ir::AttributeValue& value) {
    ir::AttributeValue& held = match_.captures_[static_cast<size_t>(slot)];
    if (!std::holds_alternative<std::monostate>(held)) return ir::same_attribute(held, value, 0);
    held = value;
    trail_.push_back(-1 - slot);
    return true;
  }

  void bind(int slot, ir::ValueId value) {
    match_.values_[static_cast<size_t>(slot)] = value;
    trail_.push_back(slot);
  }

  Mark save() const { return {trail_.size(), match_.nodes_.size()}; }
  void undo(const Mark& mark) {
    for (; trail_.size() > mark.trail; trail_.pop_back()) {
      if (trail_.back() >= 0)
        match_.values_[static_cast<size_t>(trail_.back())] = {};
      else
        match_.captures_[static_cast<size_t>(-1 - trail_.back())] = {};
    }
    match_.nodes_.resize(mark.nodes);
  }

  bool conditions_hold() {
    for (const Condition& condition : match_.rule_.conditions) {
      std::vector<Argument> arguments;
      for (const Term& term : condition.arguments) arguments.push_back(match_.evaluate(term));
      const Support support = condition.predicate->call(match_, Arguments(std::move(arguments)));
      if (static_cast<bool>(support) != condition.negated) continue;
      if (near_miss_.empty() && !condition.predicate->is_quiet && !condition.negated)
        near_miss_ = condition.text + ": " + support.reason();
      return false;
    }
    return true;
  }

  Match& match_;
  std::string& near_miss_;
  std::vector<int> trail_;  // slots of variables, and -1 - slot of captures, in the order of binding
};

std::optional<Match> find_match(const ir::Graph& graph, ConstantCache& constants, const Rule& rule,
                                ir::NodeId root, std::string& near_miss) {
  Match match(graph, constants, rule);
  if (!Matcher(match, near_miss).solve_root(root)) return std::nullopt;
  return match;
}

}  // namespace burnish::rewrite
