// What a rule's `where` may ask.
#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "rewrite/match.h"
#include "rules/library.h"

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

/// number_in(%x, low, high): a constant number within [low, high].
Support number_in(const Match& match, const Arguments& arguments) {
  const auto number = arguments.value(0) ? match.number(arguments.value(0)) : std::nullopt;
  if (!number) return Support::no("not a constant of one number");
  if (*number >= arguments.number(1) && *number <= arguments.number(2)) return Support::yes();
  return Support::no("{} is not in [{}, {}]", *number, arguments.number(1), arguments.number(2));
}

constexpr rewrite::NamedPredicate table[] = {
    {"scalar", 1, scalar},       {"constant", 1, constant},   {"floating", 1, floating},
    {"rank", 2, rank},           {"same_type", 2, same_type}, {"invertible", 1, invertible},
    {"number_in", 3, number_in},
};

}  // namespace

std::span<const rewrite::NamedPredicate> predicates() { return table; }

}  // namespace burnish::rules
