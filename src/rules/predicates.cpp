// What a rule's `where` may ask.
#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "rewrite/match.h"
#include "rules/library.h"
#include "rules/pads.h"
#include "rules/predicate_tables.h"

namespace burnish::rules {
namespace {

using rewrite::Arguments;
using rewrite::Match;

/// scalar(%x): a constant all of whose elements are one number.
Support scalar(const Match& match, const Arguments& arguments) {
  if (arguments.value(0) && match.number(arguments.value(0))) return Support::yes();
  return Support::no("not a constant of one number");
}

/// constant(%x): depends on constants alone.
Support constant(const Match& match, const Arguments& arguments) {
  if (arguments.value(0) && match.graph().value(arguments.value(0)).constant_only) return Support::yes();
  return Support::no("depends on an input");
}

/// floating(%x): f32, f16, bf16 or f64 elements.
Support floating(const Match& match, const Arguments& arguments) {
  const DType dtype = match.type(arguments.value(0)).dtype;
  return is_floating(dtype) ? Support::yes() : Support::no("its element type is {}", dtype_name(dtype));
}

/// holds(%wide, %x): every value of %x's element type is one of %wide's.
Support holds(const Match& match, const Arguments& arguments) {
  const DType wide = match.type(arguments.value(0)).dtype, narrow = match.type(arguments.value(1)).dtype;
  const auto is_half = [](DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; };
  const auto is_signed = [](DType dtype) {
    return dtype == DType::i8 || dtype == DType::i16 || dtype == DType::i32 || dtype == DType::i64;
  };
  const bool all = wide == narrow || (is_half(narrow) && (wide == DType::f32 || wide == DType::f64)) ||
                   (narrow == DType::f32 && wide == DType::f64) ||
                   (is_signed(narrow) && is_signed(wide) && dtype_bytes(narrow) <= dtype_bytes(wide));
  return all ? Support::yes()
             : Support::no("{} does not hold all of {}", dtype_name(wide), dtype_name(narrow));
}

/// rank(%x, n)
Support rank(const Match& match, const Arguments& arguments) {
  const int64_t actual = match.type(arguments.value(0)).rank();
  return actual == arguments.integer(1) ? Support::yes() : Support::no("its rank is {}", actual);
}

/// same_type(%a, %b): element type, shape and layout.
Support same_type(const Match& match, const Arguments& arguments) {
  const auto &a = match.type(arguments.value(0)), &b = match.type(arguments.value(1));
  return a == b ? Support::yes() : Support::no("{} is not {}", a.str(), b.str());
}

/// invertible(%c): every element and its reciprocal are normal numbers, so that dividing by it and
/// multiplying by its reciprocal differ by rounding alone.
Support invertible(const Match& match, const Arguments& arguments) {
  const Tensor data = match.tensor(arguments.value(0));
  if (data.empty() || !is_floating(data.dtype())) return Support::no("not a known constant of a float type");
  bool good = true;
  dispatch(FloatTypes{}, data.dtype(), [&]<class T>(Type<T>) {
    const double least = std::is_same_v<T, Half> ? 1e-3 : 1e-30, most = 1 / least;
    good = std::all_of(data.data<T>(), data.data<T>() + data.size(), [&](const T& element) {
      const double size = std::abs(static_cast<double>(element));
      return size >= least && size <= most;
    });
  });
  return good ? Support::yes() : Support::no("an element is zero or too far from one");
}

/// number_in(%x, low, high): a constant number within [low, high]; a weight is then fixed.
Support number_in(const Match& match, const Arguments& arguments) {
  const auto number = arguments.value(0) ? match.fixed_number(arguments.value(0)) : std::nullopt;
  if (!number) return Support::no("not a constant of one number");
  if (*number >= arguments.number(1) && *number <= arguments.number(2)) return Support::yes();
  return Support::no("{} is not in [{}, {}]", *number, arguments.number(1), arguments.number(2));
}

/// ascending($p): the permutation that changes nothing.
Support ascending(const Match&, const Arguments& arguments) {
  const auto& p = arguments.integers(0);
  return std::is_sorted(p.begin(), p.end()) && !p.empty() ? Support::yes()
                                                          : Support::no("it moves dimensions");
}

/// moves_only_ones($p, %x): dimensions other than 1 keep their order.
Support moves_only_ones(const Match& match, const Arguments& arguments) {
  const auto& shape = match.type(arguments.value(1)).shape;
  int64_t last = -1;
  for (int64_t axis : arguments.integers(0)) {
    if (shape.at(static_cast<size_t>(axis)).is(1)) continue;
    if (axis < last) return Support::no("it moves more than dimensions of 1");
    last = axis;
  }
  return arguments.integers(0).empty() ? Support::no("it reverses the dimensions") : Support::yes();
}

/// zeros(%x): a constant of nothing else; a weight is then fixed.
Support zeros(const Match& match, const Arguments& arguments) {
  const auto number = match.fixed_number(arguments.value(0));
  return number && *number == 0 ? Support::yes() : Support::no("not all zero");
}

/// forward(%steps): ones, or omitted.
Support forward(const Match& match, const Arguments& arguments) {
  if (!arguments.value(0)) return Support::yes();
  const auto number = match.number(arguments.value(0));
  return number && *number == 1 ? Support::yes() : Support::no("not all one");
}

/// last_axis($axes, %x): the last one alone, and its size is a number.
Support last_axis(const Match& match, const Arguments& arguments) {
  const auto& shape = match.type(arguments.value(1)).shape;
  const std::vector<int64_t> last = {static_cast<int64_t>(shape.size()) - 1};
  if (arguments.integers(0) != last) return Support::no("not over the last axis alone");
  return shape.back().is_constant() ? Support::yes()
                                    : Support::no("the last dimension is {}", shape.back().str());
}

/// spatial_axes($axes, %x): all from 2 on, of at least one.
Support spatial_axes(const Match& match, const Arguments& arguments) {
  const auto& axes = arguments.integers(0);
  const int64_t rank = match.type(arguments.value(1)).rank();
  bool good = rank > 2 && static_cast<int64_t>(axes.size()) == rank - 2;
  for (size_t i = 0; good && i < axes.size(); ++i) good = axes[i] == static_cast<int64_t>(i) + 2;
  return good ? Support::yes() : Support::no("not over all axes from 2 on");
}

/// per_axis(%c, axis, %y): a constant that, broadcast to %y, varies along `axis` (>= 0) at most.
Support per_axis(const Match& match, const Arguments& arguments) {
  if (const Support support = constant(match, arguments); !support) return support;
  const auto &c = match.type(arguments.value(0)).shape, &y = match.type(arguments.value(2)).shape;
  if (c.size() > y.size()) return Support::no("its rank is {}", c.size());
  const size_t rank = y.size(),
               axis = static_cast<size_t>((arguments.integer(1) + static_cast<int64_t>(rank)) %
                                          static_cast<int64_t>(rank));
  for (size_t i = 0; i < c.size(); ++i) {
    const size_t at = i + rank - c.size();
    if (!c[i].is(1) && (at != axis || c[i] != y[at]))
      return Support::no("[{}] varies along more than axis {} of [{}]", ir::dims_text(c), axis,
                         ir::dims_text(y));
  }
  return Support::yes();
}

/// one_axis(%c, %y): %c has exactly one dimension other than 1, and no more dimensions than %y.
Support one_axis(const Match& match, const Arguments& arguments) {
  const auto& c = match.type(arguments.value(0)).shape;
  const auto wide = std::count_if(c.begin(), c.end(), [](const ir::Dim& dim) { return !dim.is(1); });
  if (static_cast<int64_t>(c.size()) > match.type(arguments.value(1)).rank())
    return Support::no("its rank is {}", c.size());
  return wide == 1 ? Support::yes() : Support::no("[{}] varies along {} axes", ir::dims_text(c), wide);
}

/// size_is_number(%x, axis)
Support size_is_number(const Match& match, const Arguments& arguments) {
  const auto& shape = match.type(arguments.value(0)).shape;
  const int64_t rank = static_cast<int64_t>(shape.size()), axis = arguments.integer(1);
  if (axis >= rank || axis < -rank) return Support::no("its rank is {}", rank);
  const ir::Dim& dim = shape[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  return dim.is_constant() ? Support::yes() : Support::no("dimension {} is {}", axis, dim.str());
}

/// has($attributes, name, literal): the captured attributes have this value there.
Support has(const Match&, const Arguments& arguments) {
  const auto value = ir::get_attribute(arguments.attributes(0), arguments.word(1));
  if (value && ir::same_attribute(*value, arguments[2].literal)) return Support::yes();
  return Support::no("{} is {}, not {}", arguments.word(1), value ? ir::attribute_text(*value) : "missing",
                     ir::attribute_text(arguments[2].literal));
}

/// no_padding($window): pads are all zero, and none follow from auto_pad.
Support no_padding(const Match&, const Arguments& arguments) {
  const auto pads = ir::get_attribute(arguments.attributes(0), "pads");
  const auto automatic = ir::get_attribute(arguments.attributes(0), "auto_pad");
  const auto* list = pads ? std::get_if<std::vector<int64_t>>(&*pads) : nullptr;
  if (automatic && ir::same_attribute(*automatic, std::string("VALID"))) return Support::yes();
  if (automatic && !ir::same_attribute(*automatic, std::string("NOTSET")))
    return Support::no("pads follow from auto_pad");
  const bool none = !list || std::all_of(list->begin(), list->end(), [](int64_t pad) { return pad == 0; });
  return none ? Support::yes() : Support::no("it pads by {}", ir::attribute_text(*pads));
}

/// spatial_pads(%pads, %axes, %x): constant, not negative, and zero for the first two dimensions.
Support spatial_pads(const Match& match, const Arguments& arguments) {
  const auto pads = known_pads(match, arguments.value(0), arguments.value(1), arguments.value(2));
  if (!pads) return Support::no("the pads are not known");
  const size_t rank = pads->size() / 2;
  if (rank < 3) return Support::no("the rank is {}", rank);
  for (size_t i = 0; i < pads->size(); ++i) {
    if ((*pads)[i] < 0) return Support::no("a pad is negative");
    if (i % rank < 2 && (*pads)[i] != 0) return Support::no("it pads batch or channels");
  }
  return Support::yes();
}

/// whole_window($pool, %x): one unpadded window over all of the spatial dimensions.
Support whole_window(const Match& match, const Arguments& arguments) {
  const auto kernel = ir::get_attribute(arguments.attributes(0), "kernel_shape");
  const auto& shape = match.type(arguments.value(1)).shape;
  if (shape.size() < 3) return Support::no("the rank is {}", shape.size());
  const auto spatial = ir::constants({shape.begin() + 2, shape.end()});
  if (!spatial || !ir::same_attribute(*kernel, *spatial))
    return Support::no("the window {} is not the whole of [{}]", ir::attribute_text(*kernel),
                       ir::dims_text(shape));
  return no_padding(match, arguments);
}

/// swaps_last_two($p): the permutation of a matrix transpose, batches left alone.
Support swaps_last_two(const Match&, const Arguments& arguments) {
  std::vector<int64_t> p = arguments.integers(0);
  if (p.size() < 2) return Support::no("the rank is below 2");
  std::swap(p[p.size() - 1], p[p.size() - 2]);
  return std::is_sorted(p.begin(), p.end()) ? Support::yes()
                                            : Support::no("it moves other dimensions than the last two");
}

/// single($list)
Support single(const Match&, const Arguments& arguments) {
  const size_t count = arguments.integers(0).size();
  return count == 1 ? Support::yes() : Support::no("{} axes", count);
}

/// groups_channels(%i, %x): %i is [N, groups, rest] of %x [N, C, ...], with whole channels in each group.
Support groups_channels(const Match& match, const Arguments& arguments) {
  const auto &i = match.type(arguments.value(0)).shape, &x = match.type(arguments.value(1)).shape;
  if (i.size() < 3 || x.size() < 3 || i[0] != x[0])
    return Support::no("[{}] does not group the channels of [{}]", ir::dims_text(i), ir::dims_text(x));
  if (!i[1].is_constant() || !x[1].is_constant() || x[1].constant() % i[1].constant() != 0)
    return Support::no("{} channels in {} groups", x[1].str(), i[1].str());
  return Support::yes();
}

/// same_last(%a, %b): the last dimensions are equal.
Support same_last(const Match& match, const Arguments& arguments) {
  const auto &a = match.type(arguments.value(0)).shape, &b = match.type(arguments.value(1)).shape;
  return !a.empty() && !b.empty() && a.back() == b.back()
             ? Support::yes()
             : Support::no("the last dimensions of [{}] and [{}] differ", ir::dims_text(a), ir::dims_text(b));
}

/// last($axis, %x)
Support last(const Match& match, const Arguments& arguments) {
  const int64_t axis = arguments.integer(0);
  return axis == -1 || axis == match.type(arguments.value(1)).rank() - 1
             ? Support::yes()
             : Support::no("axis {} is not the last one", axis);
}

/// size_is(%x, axis, n): the dimension is the number n.
Support size_is(const Match& match, const Arguments& arguments) {
  if (const Support support = size_is_number(match, arguments); !support) return support;
  const auto& shape = match.type(arguments.value(0)).shape;
  const int64_t axis = arguments.integer(1);
  const ir::Dim& dim =
      shape[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis)];
  return dim.is(arguments.integer(2)) ? Support::yes() : Support::no("dimension {} is {}", axis, dim.str());
}

/// counts_rows_of(%classes, %table): constants 0, 1, 2, ... of a signed type along the last axis, the only
/// one that is not 1: as many as the table has rows.
Support counts_rows_of(const Match& match, const Arguments& arguments) {
  const Tensor classes = match.tensor(arguments.value(0));
  const auto& table = match.type(arguments.value(1)).shape;
  if (classes.empty() || classes.rank() == 0 ||
      (classes.dtype() != DType::i64 && classes.dtype() != DType::i32))
    return Support::no("not a known constant of i32 or i64");
  if (classes.shape().back() != classes.size() || table.size() != 2 || !table[0].is(classes.size()))
    return Support::no("{} classes for a table of [{}]", shape_text(classes.shape()), ir::dims_text(table));
  bool counts = true;
  dispatch(Types<int32_t, int64_t>{}, classes.dtype(), [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < classes.size(); ++i) counts &= classes.data<T>()[i] == i;
  });
  return counts ? Support::yes() : Support::no("the classes are not 0, 1, 2, ...");
}

/// finite(%c): a known constant without infinities and NaN.
Support finite(const Match& match, const Arguments& arguments) {
  const Tensor data = match.tensor(arguments.value(0));
  if (data.empty() || data.dtype() != DType::f32) return Support::no("not a known constant of f32");
  const bool all = std::all_of(data.data<float>(), data.data<float>() + data.size(),
                               [](float x) { return std::isfinite(x); });
  return all ? Support::yes() : Support::no("an element is not finite");
}

/// fewer_elements(%a, %b): %a's size is a number, and %b has more elements whatever its other dimensions are.
Support fewer_elements(const Match& match, const Arguments& arguments) {
  const auto a = ir::constants(match.type(arguments.value(0)).shape);
  int64_t least = 1;
  for (const ir::Dim& dim : match.type(arguments.value(1)).shape)
    least *= dim.is_constant() ? dim.constant() : 1;
  return a && element_count(*a) < least ? Support::yes()
                                        : Support::no("it has no fewer elements than the result");
}

constexpr rewrite::NamedPredicate table[] = {
    {"size_is", 3, size_is, true},
    {"counts_rows_of", 2, counts_rows_of},
    {"finite", 1, finite},
    {"fewer_elements", 2, fewer_elements},
    {"same_last", 2, same_last},
    {"last", 2, last, true},
    {"swaps_last_two", 1, swaps_last_two, true},
    {"single", 1, single, true},
    {"groups_channels", 2, groups_channels},
    {"whole_window", 2, whole_window, true},
    {"scalar", 1, scalar},
    {"constant", 1, constant, true},
    {"floating", 1, floating, true},
    {"holds", 2, holds, true},
    {"rank", 2, rank, true},
    {"same_type", 2, same_type, true},
    {"invertible", 1, invertible, true},
    {"number_in", 3, number_in, true},
    {"ascending", 1, ascending, true},
    {"moves_only_ones", 2, moves_only_ones, true},
    {"zeros", 1, zeros, true},
    {"forward", 1, forward, true},
    {"last_axis", 2, last_axis, true},
    {"spatial_axes", 2, spatial_axes, true},
    {"per_axis", 3, per_axis},
    {"size_is_number", 2, size_is_number},
    {"has", 3, has},
    {"one_axis", 2, one_axis},
    {"no_padding", 1, no_padding},
    {"spatial_pads", 3, spatial_pads},
};

}  // namespace

std::span<const rewrite::NamedPredicate> predicates() {
  static const auto all = [] {
    std::vector<rewrite::NamedPredicate> joined(std::begin(table), std::end(table));
    for (const rewrite::NamedPredicate& predicate : attention_predicates()) joined.push_back(predicate);
    return joined;
  }();
  return all;
}

}  // namespace burnish::rules
