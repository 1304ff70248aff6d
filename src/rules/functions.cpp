// What a rule's `emit` may compute from what matched.
#include <algorithm>

#include "rewrite/match.h"
#include "rules/library.h"

namespace burnish::rules {
namespace {

using ir::AttributeValue;
using rewrite::Arguments;
using rewrite::Match;

/// The number that argument `i` is: a literal, or a constant of the graph.
double number(const Match& match, const Arguments& arguments, size_t i) {
  if (!arguments.is_value(i)) return arguments.number(i);
  const auto known = arguments.value(i) ? match.number(arguments.value(i)) : std::nullopt;
  require(known.has_value(), "argument {} is not a constant of one number", i + 1);
  return *known;
}

/// value(%x): a constant's number.
AttributeValue value(const Match& match, const Arguments& arguments) { return number(match, arguments, 0); }

AttributeValue product(const Match& match, const Arguments& arguments) {
  double result = 1;
  for (size_t i = 0; i < arguments.size(); ++i) result *= number(match, arguments, i);
  return result;
}

AttributeValue quotient(const Match& match, const Arguments& arguments) {
  return number(match, arguments, 0) / number(match, arguments, 1);
}

AttributeValue least(const Match& match, const Arguments& arguments) {
  return std::min(number(match, arguments, 0), number(match, arguments, 1));
}

AttributeValue greatest(const Match& match, const Arguments& arguments) {
  return std::max(number(match, arguments, 0), number(match, arguments, 1));
}

/// compose($first, $second): the permutation of one transpose after another.
AttributeValue compose(const Match&, const Arguments& arguments) {
  const auto &first = arguments.integers(0), &second = arguments.integers(1);
  std::vector<int64_t> both;
  for (int64_t axis : second) both.push_back(first.at(static_cast<size_t>(axis)));
  return both;
}

/// shape(%x): the dimensions, numbers or expressions.
AttributeValue shape(const Match& match, const Arguments& arguments) {
  return match.type(arguments.value(0)).shape;
}

constexpr rewrite::NamedFunction table[] = {
    {"value", 1, value},       {"product", -1, product}, {"quotient", 2, quotient}, {"least", 2, least},
    {"greatest", 2, greatest}, {"compose", 2, compose},  {"shape", 1, shape},
};

}  // namespace

std::span<const rewrite::NamedFunction> functions() { return table; }

}  // namespace burnish::rules
