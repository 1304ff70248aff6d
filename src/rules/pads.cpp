#include "rules/pads.h"

#include "ops/infer.h"

namespace burnish::rules {

std::optional<std::vector<int64_t>> known_pads(const rewrite::Match& match, ir::ValueId pads,
                                               ir::ValueId axes, ir::ValueId x) {
  const auto numbers = [&](ir::ValueId value) -> std::optional<std::vector<int64_t>> {
    const auto contents = ops::known_contents(match.graph(), value);
    return contents ? ir::constants(*contents) : std::nullopt;
  };
  const auto given = numbers(pads);
  if (!given) return std::nullopt;
  if (!axes) return given;
  const auto which = numbers(axes);
  if (!which || given->size() != 2 * which->size()) return std::nullopt;
  const int64_t rank = match.type(x).rank();
  std::vector<int64_t> all(static_cast<size_t>(2 * rank), 0);
  for (size_t i = 0; i < which->size(); ++i) {
    const size_t axis = static_cast<size_t>(ops::normalize_axis((*which)[i], rank));
    all[axis] = (*given)[i];
    all[axis + static_cast<size_t>(rank)] = (*given)[i + which->size()];
  }
  return all;
}

}  // namespace burnish::rules
