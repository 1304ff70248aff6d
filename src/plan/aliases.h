// Which values share memory: each belongs to a root, at an offset in bytes.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "ir/graph.h"

namespace burnish::plan {

class Aliases {
 public:
  struct Spot {
    int32_t root = -1;
    int64_t offset = 0;
  };

  /// A value of its own. `fixed` ones lie where the caller says (inputs, constants): they cannot move into another.
  void add(ir::ValueId value, int64_t bytes, bool fixed);
  /// `value` must stay a root: it may take others in, but not move.
  void pin(ir::ValueId value) { pinned_.insert(value.index); }
  bool contains(ir::ValueId value) const { return parents_.contains(value.index); }
  /// `value` is `bytes` at `offset` inside `into`.
  void view(ir::ValueId value, ir::ValueId into, int64_t offset, int64_t bytes);
  /// Moves the whole root of `value` into `into` at `offset`. False, and nothing changes, where it cannot be:
  /// the root is fixed or pinned, is larger than the value, or already is the root of `into`.
  bool absorb(ir::ValueId value, ir::ValueId into, int64_t offset);
  /// Whether the root of `value` is no larger than it, and neither fixed nor pinned.
  bool can_move(ir::ValueId value) const;
  Spot find(ir::ValueId value) const;
  int64_t bytes(ir::ValueId value) const { return bytes_.at(value.index); }
  bool fixed(int32_t root) const { return fixed_.at(root); }

 private:
  std::map<int32_t, Spot> parents_;  // a root is its own parent
  std::map<int32_t, int64_t> bytes_;
  std::map<int32_t, bool> fixed_;
  std::set<int32_t> pinned_;
};

}  // namespace burnish::plan
