#include "rewrite/driver.h"

#include <algorithm>
#include <set>

#include "ops/infer.h"
#include "rewrite/emit.h"

namespace burnish::rewrite {
namespace {

bool contains(std::span<const ir::NodeId> nodes, ir::NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

bool is_replaced(const ir::Patch& patch, ir::ValueId value) {
  return std::any_of(patch.replacements.begin(), patch.replacements.end(),
                     [&](const auto& replacement) { return replacement.first == value; });
}

bool is_read(const ir::Patch& patch, ir::ValueId value) {
  const auto is_value = [&](const ir::Patch::Source& source) {
    const auto* read = std::get_if<ir::ValueId>(&source);
    return read && *read == value;
  };
  return std::any_of(patch.nodes.begin(), patch.nodes.end(),
                     [&](const ir::Patch::NewNode& node) {
                       return std::any_of(node.inputs.begin(), node.inputs.end(), is_value);
                     }) ||
         std::any_of(patch.replacements.begin(), patch.replacements.end(),
                     [&](const auto& replacement) { return is_value(replacement.second); });
}

/// Every value that the match swallows must have no other use.
Support check_inner_values(const ir::Graph& graph, const ir::Patch& patch) {
  for (ir::NodeId id : patch.matched) {
    for (ir::ValueId output : graph.node(id).outputs) {
      if (!output || is_replaced(patch, output)) continue;
      const ir::Value& value = graph.value(output);
      if (value.constant_only || is_read(patch, output)) continue;
      if (std::find(patch.shared.begin(), patch.shared.end(), output) != patch.shared.end()) continue;
      if (graph.is_output(output)) return Support::no("'{}' inside it is an output of the model", value.name);
      for (const ir::Use& use : value.uses)
        if (!contains(patch.matched, use.node))
          return Support::no("'{}' inside it is also used by {} '{}'", value.name,
                             graph.node(use.node).op->name, graph.node(use.node).source);
    }
  }
  return Support::yes();
}

/// The nodes and constants that one patch puts into the graph, until it is kept or taken out again.
class Trial {
 public:
  Trial(ir::Graph& graph, const ir::Patch& patch) : graph_(graph), patch_(patch) {
    const std::string source = join_sources(graph, patch.matched);
    for (const Tensor& tensor : patch.constants)
      constants_.push_back(graph.add_constant(graph.fresh_name(patch.reason), tensor));
    for (const ir::Patch::NewNode& made : patch.nodes) {
      std::vector<ir::ValueId> inputs;
      for (const ir::Patch::Source& input : made.inputs) inputs.push_back(resolve(input));
      const ir::NodeId id =
          graph.add_node(*made.op, made.attributes, std::move(inputs), made.outputs, {}, patch.root);
      nodes_.push_back(id);
      graph.node(id).source = source;
    }
  }

  Support check() {
    try {
      for (ir::NodeId id : nodes_) ops::infer(graph_, id);
    } catch (const Error& error) {
      return Support::no("what it makes is not valid: {}", error.what());
    }
    for (const auto& [old, source] : patch_.replacements) {
      const ir::TensorType &before = graph_.value(old).type, &after = graph_.value(resolve(source)).type;
      if (before != after)
        return Support::no("'{}' would become {} instead of {}", graph_.value(old).name, after.str(),
                           before.str());
    }
    return Support::yes();
  }

  void keep() {
    std::vector<std::pair<ir::ValueId, std::string>> names;
    for (const auto& [old, source] : patch_.replacements) {
      const ir::ValueId made = resolve(source);
      if (!graph_.value(made).contents) graph_.value(made).contents = graph_.value(old).contents;
      if (!std::holds_alternative<ir::ValueId>(source)) names.emplace_back(made, graph_.value(old).name);
      graph_.replace_uses(old, made);
    }
    for (ir::NodeId id : patch_.matched) erase_unused(graph_, id);
    for (const auto& [value, name] : names)
      if (!graph_.find_value(name)) graph_.rename(value, name);
    for (ir::NodeId id : nodes_) erase_unused(graph_, id);  // a new node whose outputs nobody wants
  }

  void discard() {
    for (auto id = nodes_.rbegin(); id != nodes_.rend(); ++id) graph_.erase(*id);
    for (ir::ValueId id : constants_) graph_.erase_value(id);
  }

  std::string text() const {
    std::string names;
    for (const ir::Patch::NewNode& node : patch_.nodes) names += (names.empty() ? "" : ", ") + node.op->name;
    return names.empty() ? "nothing" : names;
  }

 private:
  ir::ValueId resolve(const ir::Patch::Source& source) const {
    if (const auto* value = std::get_if<ir::ValueId>(&source)) return *value;
    if (const auto* constant = std::get_if<ir::Patch::NewConstant>(&source))
      return constants_[static_cast<size_t>(constant->index)];
    const auto& made = std::get<ir::Patch::Made>(source);
    return graph_.node(nodes_[static_cast<size_t>(made.node)]).outputs[static_cast<size_t>(made.output)];
  }

  ir::Graph& graph_;
  const ir::Patch& patch_;
  std::vector<ir::ValueId> constants_;
  std::vector<ir::NodeId> nodes_;
};

/// A replaced value inside the match may be read by a node in front of the root: then order is restored.
bool needs_sort(const ir::Graph& graph, const ir::Patch& patch) {
  std::set<ir::NodeId> readers;
  for (const auto& [old, source] : patch.replacements) {
    if (std::holds_alternative<ir::ValueId>(source) || graph.value(old).producer == patch.root) continue;
    for (const ir::Use& use : graph.value(old).uses)
      if (!contains(patch.matched, use.node)) readers.insert(use.node);
  }
  for (ir::NodeId id = graph.node(patch.root).previous; id && !readers.empty(); id = graph.node(id).previous)
    if (readers.contains(id)) return true;
  return false;
}

}  // namespace

std::string join_sources(const ir::Graph& graph, std::span<const ir::NodeId> nodes) {
  std::string all;
  for (auto id = nodes.rbegin(); id != nodes.rend(); ++id) {
    const std::string& source = graph.node(*id).source;
    if (!source.empty()) all += (all.empty() ? "" : ", ") + source;
  }
  return ir::each_source_once(all);
}

void erase_unused(ir::Graph& graph, ir::NodeId id) {
  std::vector<ir::NodeId> candidates = {id};
  while (!candidates.empty()) {
    const ir::NodeId candidate = candidates.back();
    candidates.pop_back();
    const ir::Node& node = graph.node(candidate);
    if (node.erased) continue;
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId output) {
      return output && (!graph.value(output).uses.empty() || graph.is_output(output));
    });
    if (used) continue;
    const std::vector<ir::ValueId> inputs = node.inputs;
    graph.erase(candidate);
    for (ir::ValueId input : inputs)
      if (input && graph.value(input).producer) candidates.push_back(graph.value(input).producer);
  }
}

Support apply(ir::Graph& graph, const ir::Patch& patch, RewriteLog& log) {
  if (const Support inner = check_inner_values(graph, patch); !inner) return inner;
  Trial trial(graph, patch);
  if (const Support valid = trial.check(); !valid) {
    trial.discard();
    return valid;
  }
  if (!log.take(patch.reason, join_sources(graph, patch.matched), trial.text())) {
    trial.discard();
    return Support::no("the limit on rewrites is reached");
  }
  const bool sort = needs_sort(graph, patch);
  trial.keep();
  if (sort) graph.sort();
#ifndef NDEBUG
  ir::verify(graph);
#endif
  return Support::yes();
}

RuleSet::RuleSet(std::span<const Rule> rules) {
  for (const Rule& rule : rules) add(rule);
}

void RuleSet::add(const Rule& rule) {
  all_.push_back(&rule);
  std::vector<const Pattern*> roots = {&rule.root()};
  while (!roots.empty()) {
    const Pattern* root = roots.back();
    roots.pop_back();
    for (const Pattern& part : root->parts)
      if (root->kind == Pattern::Kind::alternatives) roots.push_back(&part);
    if (root->kind != Pattern::Kind::op) continue;
    auto& list = by_root_[root->op];
    if (std::find(list.begin(), list.end(), &rule) == list.end()) list.push_back(&rule);
  }
}

const std::vector<const Rule*>& RuleSet::for_root(const ir::Op* op) const {
  static const std::vector<const Rule*> none;
  const auto found = by_root_.find(op);
  return found == by_root_.end() ? none : found->second;
}

namespace {

/// True if one of the rules changed the graph at `node`.
bool apply_at(ir::Graph& graph, const RuleSet& rules, ConstantCache& constants, RewriteLog& log,
              ir::NodeId node) {
  for (const Rule* rule : rules.for_root(graph.node(node).op)) {
    std::string reason;
    constants.forget_looks();
    if (const auto match = find_match(graph, constants, *rule, node, reason)) {
      const std::string where = join_sources(graph, match->nodes());
      std::set<std::string> looked_at;
      const Support applied =
          with_context([&] { return fmt::format("rule '{}' at '{}'", rule->name, where); },
                       [&] {
                         std::string why_not;
                         const auto patch = make_patch(*match, node, why_not);
                         looked_at = constants.looked_at();
                         return patch ? apply(graph, *patch, log) : Support::no("{}", why_not);
                       });
      if (applied) {
        for (const std::string& weight : looked_at) log.fix(weight, fmt::format("rule '{}'", rule->name));
        return true;
      }
      log.miss(rule->name, where, applied.reason());
    } else if (!reason.empty()) {
      log.miss(rule->name, graph.node(node).source, reason);
    }
  }
  return false;
}

}  // namespace

int64_t apply_rules(ir::Graph& graph, const RuleSet& rules, RewriteLog& log) {
  ConstantCache constants(graph, log);
  const int64_t before = log.taken();
  const int64_t most = 1000 + 50 * static_cast<int64_t>(graph.node_count());
  for (bool changed = true; changed;) {
    changed = false;
    for (ir::NodeId id = graph.node_count() ? graph.order().front() : ir::NodeId{}; id && !log.exhausted();) {
      const ir::NodeId previous = graph.node(id).previous, next = graph.node(id).next;
      if (!apply_at(graph, rules, constants, log, id)) {
        id = next;
        continue;
      }
      changed = true;
      require(log.taken() - before < most, "internal: the rules do not come to an end; the last one was '{}'",
              log.hits().back().name);
      // Go on with the first new node, if what was in front of the root is still there.
      const bool anchored = previous && !graph.node(previous).erased;
      id = anchored ? graph.node(previous).next : next;
      if (id && graph.node(id).erased) break;
    }
  }
  graph.remove_dead();
  ir::verify(graph);
  return log.taken() - before;
}

}  // namespace burnish::rewrite
