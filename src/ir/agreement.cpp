#include "ir/agreement.h"

#include "base/error.h"

namespace burnish::ir {
namespace {

bool agree(int64_t a, int64_t b) { return a == b || a == 1 || b == 1; }

/// How far apart `a` and `b` are; nullopt where something inside them has no value at these sizes.
std::optional<int64_t> distance(const Dim& a, const Dim& b, const Bindings& sizes) {
  try {
    return a.evaluate(sizes) - b.evaluate(sizes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Finds a size of one symbol at which a - b, taken as linear in it, is zero.
bool make_equal(const Dim& a, const Dim& b, const std::set<std::string>& free, Bindings& sizes) {
  std::set<std::string> symbols;
  a.collect_symbols(symbols);
  b.collect_symbols(symbols);
  const int64_t apart = a.evaluate(sizes) - b.evaluate(sizes);
  for (const std::string& symbol : symbols) {
    if (!free.contains(symbol)) continue;
    const int64_t before = sizes.at(symbol);
    sizes[symbol] = before + 1;
    const auto next = distance(a, b, sizes);
    const int64_t slope = next ? *next - apart : 0;
    if (slope != 0 && apart % slope == 0 && before - apart / slope >= 0) {
      sizes[symbol] = before - apart / slope;
      if (distance(a, b, sizes) == 0) return true;
    }
    sizes[symbol] = before;
  }
  return false;
}

}  // namespace

void make_agree(const std::vector<Dim>& dims, const std::set<std::string>& free, Bindings& sizes) {
  std::vector<std::pair<Dim, Dim>> pairs;
  for (const Dim& dim : dims) collect_broadcasts(dim, pairs);
  // What makes one pair equal may part another; as many rounds as pairs would do for those that stand in
  // order.
  for (size_t round = 0; round <= pairs.size(); ++round) {
    bool changed = false;
    for (const auto& [a, b] : pairs) {
      if (agree(a.evaluate(sizes), b.evaluate(sizes))) continue;
      if (!make_equal(a, b, free, sizes)) return;
      changed = true;
    }
    if (!changed) return;
  }
}

}  // namespace burnish::ir
