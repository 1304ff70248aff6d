// A proposed change of a graph: what a rule or a pass hands to the driver, which alone applies it.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ir/graph.h"

namespace burnish::ir {

struct Patch {
  /// An output of a node that the patch makes.
  struct Made {
    int node = 0, output = 0;
  };
  /// What a new node reads, or what a replaced value becomes: a value that is there already, a new node's
  /// output, or a new constant (an index into `constants`).
  struct NewConstant {
    int index = 0;
  };
  using Source = std::variant<ValueId, Made, NewConstant>;

  struct NewNode {
    const Op* op = nullptr;
    Attributes attributes;
    std::vector<Source> inputs;
    int outputs = 1;
  };

  std::string reason;           ///< the rule's or pass's name
  NodeId root;                  ///< new nodes go in front of it
  std::vector<NodeId> matched;  ///< nodes that the patch stands for; they go when nothing uses them any more
  std::vector<ValueId> shared;  ///< outputs of matched nodes that others may go on using
  std::vector<Tensor> constants;
  std::vector<NewNode> nodes;  ///< in order: each reads only earlier ones
  std::vector<std::pair<ValueId, Source>> replacements;
};

}  // namespace burnish::ir
