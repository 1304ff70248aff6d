#include "plan/aliases.h"

namespace burnish::plan {

void Aliases::add(ir::ValueId value, int64_t bytes, bool fixed) {
  parents_[value.index] = {value.index, 0};
  bytes_[value.index] = bytes;
  fixed_[value.index] = fixed;
}

void Aliases::view(ir::ValueId value, ir::ValueId into, int64_t offset, int64_t bytes) {
  parents_[value.index] = {into.index, offset};
  bytes_[value.index] = bytes;
  fixed_[value.index] = false;
}

Aliases::Spot Aliases::find(ir::ValueId value) const {
  Spot spot{value.index, 0};
  while (true) {
    const Spot& parent = parents_.at(spot.root);
    if (parent.root == spot.root) return spot;
    spot = {parent.root, spot.offset + parent.offset};
  }
}

bool Aliases::can_move(ir::ValueId value) const {
  const Spot mine = find(value);
  return !fixed_.at(mine.root) && !pinned_.contains(mine.root) && mine.offset == 0 &&
         bytes_.at(mine.root) == bytes_.at(value.index);
}

bool Aliases::absorb(ir::ValueId value, ir::ValueId into, int64_t offset) {
  const Spot mine = find(value), target = find(into);
  if (mine.root == target.root || !can_move(value)) return false;
  parents_[mine.root] = {into.index, offset};
  return true;
}

}  // namespace burnish::plan
