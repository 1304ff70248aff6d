// Finds where a rule's pattern fits, and evaluates its terms.
#pragma once

#include <map>
#include <optional>

#include "rewrite/rule.h"

namespace burnish::rewrite {

/// The data of values that depend on constants alone, computed once each.
class ConstantCache {
 public:
  explicit ConstantCache(const ir::Graph& graph) : graph_(graph) {}
  /// Empty where the value depends on an input, or has more than `largest` elements.
  Tensor tensor(ir::ValueId value);
  /// The one number that all its elements are; nullopt if they differ or are not known.
  std::optional<double> number(ir::ValueId value);

  static constexpr int64_t largest = 1 << 16;

 private:
  const ir::Graph& graph_;
  std::map<ir::ValueId, Tensor> tensors_;
  std::map<ir::ValueId, std::optional<double>> numbers_;
};

/// What a rule's names stand for at one place of a graph.
class Match {
 public:
  Match(const ir::Graph& graph, ConstantCache& constants, const Rule& rule);

  const ir::Graph& graph() const { return graph_; }
  const ir::TensorType& type(ir::ValueId value) const { return graph_.value(value).type; }
  Tensor tensor(ir::ValueId value) const { return constants_.tensor(value); }
  std::optional<double> number(ir::ValueId value) const { return constants_.number(value); }

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
