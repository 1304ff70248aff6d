// Finds where a rule's pattern fits, and evaluates its terms.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "rewrite/log.h"
#include "rewrite/rule.h"

namespace burnish::rewrite {

/// The data of values that depend on constants alone, computed once each.
class ConstantCache {
 public:
  ConstantCache(const ir::Graph& graph, const RewriteLog& log) : graph_(graph), log_(log) {}
  /// Empty where the value depends on an input, or has more than `largest` elements.
  Tensor tensor(ir::ValueId value);
  /// The one number that all its elements are; nullopt if they differ, are not known, or depend on a weight
  /// of several elements, whose values no rewrite should go by: all ones today, they may be others after a
  /// refit.
  std::optional<double> number(ir::ValueId value);
  /// The same of weights too.
  std::optional<double> fixed_number(ir::ValueId value);
  /// Whether it depends on a weight of several floating-point elements.
  bool is_weight(ir::ValueId value);

  /// The weights that were looked at since forget_looks().
  std::set<std::string> looked_at() const;
  void forget_looks() { looks_.clear(); }

  static constexpr int64_t largest = 1 << 16;

 private:
  Tensor compute(ir::ValueId value);

  const ir::Graph& graph_;
  const RewriteLog& log_;
  std::map<ir::ValueId, Tensor> tensors_;
  std::map<ir::ValueId, std::optional<double>> numbers_;
  std::map<ir::ValueId, bool> weights_;
  std::set<ir::ValueId> looks_;
};

/// Adds the names of the constants that `value` depends on.
void collect_constants(const ir::Graph& graph, ir::ValueId value, std::set<std::string>& names);

/// What a rule's names stand for at one place of a graph.
class Match {
 public:
  Match(const ir::Graph& graph, ConstantCache& constants, const Rule& rule);

  const ir::Graph& graph() const { return graph_; }
  const ir::TensorType& type(ir::ValueId value) const { return graph_.value(value).type; }
  Tensor tensor(ir::ValueId value) const { return constants_.tensor(value); }
  std::optional<double> number(ir::ValueId value) const { return constants_.number(value); }
  std::optional<double> fixed_number(ir::ValueId value) const { return constants_.fixed_number(value); }

  const Rule& rule() const { return rule_; }
  ir::ValueId value(int slot) const { return values_[static_cast<size_t>(slot)]; }
  const std::vector<ir::ValueId>& list(int slot) const { return lists_[static_cast<size_t>(slot)]; }
  const ir::AttributeValue& capture(int slot) const { return captures_[static_cast<size_t>(slot)]; }
  /// The nodes that the pattern covers, root first.
  const std::vector<ir::NodeId>& nodes() const { return nodes_; }

  Argument evaluate(const Term& term) const;

 private:
  friend class Matcher;

  const ir::Graph& graph_;
  ConstantCache& constants_;
  const Rule& rule_;
  std::vector<ir::ValueId> values_;
  std::vector<std::vector<ir::ValueId>> lists_;
  std::vector<ir::AttributeValue> captures_;
  std::vector<ir::NodeId> nodes_;
};

/// The match of `rule` whose root is `root`, conditions included. Where the pattern fits but a condition says
/// no, `near_miss` gets the reason.
std::optional<Match> find_match(const ir::Graph& graph, ConstantCache& constants, const Rule& rule,
                                ir::NodeId root, std::string& near_miss);

}  // namespace burnish::rewrite
