// What a rule's `emit` may compute from what matched.
#include <algorithm>
#include <numeric>

#include "ops/infer.h"
#include "rewrite/match.h"
#include "rewrite/shapes.h"
#include "rules/library.h"
#include "rules/pads.h"

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

/// shape_of(%x): the dimensions, numbers or expressions.
AttributeValue shape_of(const Match& match, const Arguments& arguments) {
  return match.type(arguments.value(0)).shape;
}

/// target(%x, %y): what a reshape of %x to %y's shape asks for.
AttributeValue target(const Match& match, const Arguments& arguments) {
  return rewrite::reshape_target(match.type(arguments.value(0)).shape, match.type(arguments.value(1)).shape);
}

/// target_of_rows_like(%a, %y): what a reshape of %a asks for whose rows are as %y's and as long as its own.
AttributeValue target_of_rows_like(const Match& match, const Arguments& arguments) {
  const auto& from = match.type(arguments.value(0)).shape;
  std::vector<ir::Dim> to = match.type(arguments.value(1)).shape;
  to.back() = from.back();
  return rewrite::reshape_target(from, to);
}

/// target_of_swapped(%x, %y): what a reshape asks for of %x to %y's shape with the last two dimensions of
/// both swapped.
AttributeValue target_of_swapped(const Match& match, const Arguments& arguments) {
  std::vector<ir::Dim> shapes[2];
  for (size_t i = 0; i < 2; ++i) {
    shapes[i] = match.type(arguments.value(i)).shape;
    std::swap(shapes[i].at(shapes[i].size() - 1), shapes[i].at(shapes[i].size() - 2));
  }
  return rewrite::reshape_target(shapes[0], shapes[1]);
}

/// target_after_mean($axes, %x, %y): the same from %x with those axes reduced to 1.
AttributeValue target_after_mean(const Match& match, const Arguments& arguments) {
  std::vector<ir::Dim> from = match.type(arguments.value(1)).shape;
  for (int64_t axis : arguments.integers(0)) from.at(static_cast<size_t>(axis)) = 1;
  return rewrite::reshape_target(from, match.type(arguments.value(2)).shape);
}

/// axes_from(axis, %x): axis and all behind it.
AttributeValue axes_from(const Match& match, const Arguments& arguments) {
  std::vector<int64_t> axes;
  for (int64_t axis = arguments.integer(0); axis < match.type(arguments.value(1)).rank(); ++axis)
    axes.push_back(axis);
  return axes;
}

/// along(axis, %x): the target of a reshape that lays a vector along one axis (from the front or the end) of
/// %x's dimensions, [1, ..., -1, ..., 1].
AttributeValue along(const Match& match, const Arguments& arguments) {
  const int64_t rank = match.type(arguments.value(1)).rank();
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(ops::normalize_axis(arguments.integer(0), rank))] = -1;
  return shape;
}

int64_t size_of(const Match& match, ir::ValueId value, int64_t axis) {
  const auto& shape = match.type(value).shape;
  return shape[static_cast<size_t>(ops::normalize_axis(axis, static_cast<int64_t>(shape.size())))].constant();
}

/// target_of_pixels(%x): [0, -1, channels] of a tensor [N, channels, ...].
AttributeValue target_of_pixels(const Match& match, const Arguments& arguments) {
  return std::vector<int64_t>{0, -1, size_of(match, arguments.value(0), 1)};
}

/// target_of_heads(%x, %y): what a reshape of %x to [length, batch, heads, size] asks for, of %y's [batch,
/// heads, length, size].
AttributeValue target_of_heads(const Match& match, const Arguments& arguments) {
  const auto& y = match.type(arguments.value(1)).shape;
  return rewrite::reshape_target(match.type(arguments.value(0)).shape, {y.at(2), y.at(0), y.at(1), y.at(3)});
}

/// extent(%x, axis): a dimension, which must be a number.
AttributeValue extent(const Match& match, const Arguments& arguments) {
  return std::vector<int64_t>{size_of(match, arguments.value(0), arguments.integer(1))};
}

/// extent_of(%x, axis): the same as a number.
AttributeValue extent_of(const Match& match, const Arguments& arguments) {
  return size_of(match, arguments.value(0), arguments.integer(1));
}

/// filled(number, %x, axis): a vector as long as %x is along the axis.
AttributeValue filled(const Match& match, const Arguments& arguments) {
  const int64_t length = size_of(match, arguments.value(1), arguments.integer(2));
  return std::vector<double>(static_cast<size_t>(length), arguments.number(0));
}

/// first($list)
AttributeValue first(const Match&, const Arguments& arguments) { return arguments.integers(0).at(0); }

/// padded($window, %pads, %axes, %x): the window's pads with those of a `pad` op added.
AttributeValue padded(const Match& match, const Arguments& arguments) {
  const auto added = known_pads(match, arguments.value(1), arguments.value(2), arguments.value(3));
  require(added.has_value(), "the pads are not known");
  const size_t rank = added->size() / 2, spatial = rank - 2;
  auto pads = std::get<std::vector<int64_t>>(*ir::get_attribute(arguments.attributes(0), "pads"));
  pads.resize(2 * spatial, 0);
  for (size_t i = 0; i < spatial; ++i) {
    pads[i] += (*added)[i + 2];
    pads[i + spatial] += (*added)[i + 2 + rank];
  }
  return pads;
}

/// target_without_last(%x): the target of a reshape that drops %x's last dimension, which is 1.
AttributeValue target_without_last(const Match& match, const Arguments& arguments) {
  const auto& from = match.type(arguments.value(0)).shape;
  return rewrite::reshape_target(from, {from.begin(), from.end() - 1});
}

/// target_without(%x, axis): the target of a reshape that drops a dimension of %x, which is 1.
AttributeValue target_without(const Match& match, const Arguments& arguments) {
  const auto& from = match.type(arguments.value(0)).shape;
  std::vector<ir::Dim> to = from;
  to.erase(to.begin() + ops::normalize_axis(arguments.integer(1), static_cast<int64_t>(from.size())));
  return rewrite::reshape_target(from, to);
}

/// swapped_sizes($window, name): an attribute of a window in two dimensions, [h, w] or [h, w, h, w], for one
/// whose dimensions are swapped.
AttributeValue swapped_sizes(const Match&, const Arguments& arguments) {
  auto sizes = std::get<std::vector<int64_t>>(*ir::get_attribute(arguments.attributes(0), arguments.word(1)));
  for (size_t i = 0; i + 1 < sizes.size(); i += 2) std::swap(sizes[i], sizes[i + 1]);
  return sizes;
}

/// before_transpose($perm, %c, %y): the target of a reshape of %c, which varies along one axis of %y, that
/// lays it along the same axis of what was transposed by $perm to give %y.
AttributeValue before_transpose(const Match& match, const Arguments& arguments) {
  const auto& perm = arguments.integers(0);
  const auto& c = match.type(arguments.value(1)).shape;
  std::vector<int64_t> target(perm.size(), 1);
  for (size_t i = 0; i < c.size(); ++i)
    if (!c[i].is(1)) target.at(static_cast<size_t>(perm.at(i + perm.size() - c.size()))) = -1;
  return target;
}

/// value_or(%x, number): a constant's number, or the second where %x matched nothing.
AttributeValue value_or(const Match& match, const Arguments& arguments) {
  return arguments.value(0) ? number(match, arguments, 0) : arguments.number(1);
}

/// swapped($perm): with the last two entries exchanged.
AttributeValue swapped(const Match&, const Arguments& arguments) {
  std::vector<int64_t> perm = arguments.integers(0);
  std::swap(perm.at(perm.size() - 1), perm.at(perm.size() - 2));
  return perm;
}

/// matrix_transpose(%x): the permutation that swaps the last two dimensions.
AttributeValue matrix_transpose(const Match& match, const Arguments& arguments) {
  std::vector<int64_t> perm(static_cast<size_t>(match.type(arguments.value(0)).rank()));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm.at(perm.size() - 1), perm.at(perm.size() - 2));
  return perm;
}

/// target_of_rows(%table, %y): what a reshape of [rows, width] to %y's shape [1..., rows, width] asks for.
AttributeValue target_of_rows(const Match& match, const Arguments& arguments) {
  std::vector<int64_t> target(static_cast<size_t>(match.type(arguments.value(1)).rank()), 1);
  target.at(target.size() - 2) = -1;
  target.back() = size_of(match, arguments.value(0), 1);
  return target;
}

constexpr rewrite::NamedFunction table[] = {
    {"value", 1, value},
    {"product", -1, product},
    {"quotient", 2, quotient},
    {"least", 2, least},
    {"greatest", 2, greatest},
    {"compose", 2, compose},
    {"shape_of", 1, shape_of},
    {"target", 2, target},
    {"along", 2, along},
    {"extent", 2, extent},
    {"filled", 3, filled},
    {"first", 1, first},
    {"padded", 4, padded},
    {"value_or", 2, value_or},
    {"swapped", 1, swapped},
    {"matrix_transpose", 1, matrix_transpose},
    {"target_of_rows", 2, target_of_rows},
    {"target_of_rows_like", 2, target_of_rows_like},
    {"target_of_swapped", 2, target_of_swapped},
    {"target_of_heads", 2, target_of_heads},
    {"target_of_pixels", 1, target_of_pixels},
    {"target_without_last", 1, target_without_last},
    {"target_without", 2, target_without},
    {"swapped_sizes", 2, swapped_sizes},
    {"before_transpose", 3, before_transpose},
    {"extent_of", 2, extent_of},
    {"target_after_mean", 3, target_after_mean},
    {"axes_from", 2, axes_from},
};

}  // namespace

std::span<const rewrite::NamedFunction> functions() { return table; }

}  // namespace burnish::rules
