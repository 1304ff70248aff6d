// What the rules of attention and its masks ask.
#include <algorithm>

#include "ops/infer.h"
#include "rewrite/match.h"
#include "rules/library.h"
#include "rules/predicate_tables.h"

namespace burnish::rules {
namespace {

using rewrite::Arguments;
using rewrite::Match;
using Dims = std::vector<ir::Dim>;

const Dims& shape_of(const Match& match, const Arguments& arguments, size_t i) {
  return match.type(arguments.value(i)).shape;
}

std::optional<Dims> contents_of(const Match& match, ir::ValueId value) {
  return value ? ops::known_contents(match.graph(), value) : std::nullopt;
}

/// moves_last_to_second_last($p): the permutation puts the last dimension second to last.
Support moves_last_to_second_last(const Match&, const Arguments& arguments) {
  const auto& p = arguments.integers(0);
  const size_t rank = p.size();
  const bool moves = rank >= 2 && p[rank - 2] == static_cast<int64_t>(rank) - 1;
  return moves ? Support::yes() : Support::no("the last dimension does not become the second to last");
}

/// same_rank(%a, %b)
Support same_rank(const Match& match, const Arguments& arguments) {
  const size_t a = shape_of(match, arguments, 0).size(), b = shape_of(match, arguments, 1).size();
  return a == b ? Support::yes() : Support::no("ranks are {} and {}", a, b);
}

/// rank_within(%mask, %x): no mask, or one of no higher rank.
Support rank_within(const Match& match, const Arguments& arguments) {
  if (!arguments.value(0)) return Support::yes();
  const size_t mask = shape_of(match, arguments, 0).size(), x = shape_of(match, arguments, 1).size();
  return mask <= x ? Support::yes() : Support::no("the mask has rank {}", mask);
}

/// number_or_none(%x, low, high): matched nothing, or a constant number within [low, high].
Support number_or_none(const Match& match, const Arguments& arguments) {
  if (!arguments.value(0)) return Support::yes();
  const auto number = match.number(arguments.value(0));
  if (!number) return Support::no("not a constant of one number");
  if (*number >= arguments.number(1) && *number <= arguments.number(2)) return Support::yes();
  return Support::no("{} is not in [{}, {}]", *number, arguments.number(1), arguments.number(2));
}

/// attends(%q, %k, %v): [batch, heads, length, size] with one batch, and heads of k and v that q's share
/// evenly.
Support attends(const Match& match, const Arguments& arguments) {
  const Dims &q = shape_of(match, arguments, 0), &k = shape_of(match, arguments, 1),
             &v = shape_of(match, arguments, 2);
  if (q.size() != 4 || k.size() != 4 || v.size() != 4) return Support::no("the rank is {}", q.size());
  const bool shared = k[1] == q[1] || (k[1].is_constant() && q[1].is_constant() && k[1].constant() > 0 &&
                                       q[1].constant() % k[1].constant() == 0);
  if (k[0] != q[0] || v[0] != q[0] || v[1] != k[1] || !shared)
    return Support::no("batches and heads of [{}], [{}] and [{}] differ", ir::dims_text(q), ir::dims_text(k),
                       ir::dims_text(v));
  return Support::yes();
}

/// same_shape(%a, %b)
Support same_shape(const Match& match, const Arguments& arguments) {
  const Dims &a = shape_of(match, arguments, 0), &b = shape_of(match, arguments, 1);
  return a == b ? Support::yes() : Support::no("[{}] is not [{}]", ir::dims_text(a), ir::dims_text(b));
}

/// static_shape(%x): every dimension is a number.
Support static_shape(const Match& match, const Arguments& arguments) {
  const Dims& shape = shape_of(match, arguments, 0);
  return ir::constants(shape) ? Support::yes() : Support::no("[{}] is not known", ir::dims_text(shape));
}

/// keeps_channels(%x, %r): the first two dimensions are equal.
Support keeps_channels(const Match& match, const Arguments& arguments) {
  const Dims &a = shape_of(match, arguments, 0), &b = shape_of(match, arguments, 1);
  const bool same = a.size() >= 2 && b.size() >= 2 && a[0] == b[0] && a[1] == b[1];
  return same ? Support::yes() : Support::no("[{}] and [{}] differ", ir::dims_text(a), ir::dims_text(b));
}

/// splits_last(%a, %y): %y's dimensions, ones at the front left out, are %a's but for the last, which is
/// several.
Support splits_last(const Match& match, const Arguments& arguments) {
  const Dims &a = shape_of(match, arguments, 0), &y = shape_of(match, arguments, 1);
  const auto start =
      std::find_if(y.begin(), y.end(), [&](const ir::Dim& dim) { return !a.empty() && dim == a[0]; });
  const bool ones = std::all_of(y.begin(), start, [](const ir::Dim& dim) { return dim.is(1); });
  const bool splits =
      ones && static_cast<size_t>(y.end() - start) > a.size() && std::equal(a.begin(), a.end() - 1, start);
  return splits ? Support::yes()
                : Support::no("[{}] is not [{}] with the last split", ir::dims_text(y), ir::dims_text(a));
}

/// same_matrices(%a, %b): the last two dimensions are equal.
Support same_matrices(const Match& match, const Arguments& arguments) {
  const Dims &a = shape_of(match, arguments, 0), &b = shape_of(match, arguments, 1);
  const bool same = a.size() >= 2 && b.size() >= 2 && std::equal(a.end() - 2, a.end(), b.end() - 2);
  return same ? Support::yes()
              : Support::no("the matrices of [{}] and [{}] differ", ir::dims_text(a), ir::dims_text(b));
}

/// transposed_matrices(%a, %b): one shape but for the last two dimensions, which are swapped.
Support transposed_matrices(const Match& match, const Arguments& arguments) {
  Dims a = shape_of(match, arguments, 0);
  const Dims& b = shape_of(match, arguments, 1);
  if (a.size() < 2) return Support::no("the rank is {}", a.size());
  std::swap(a[a.size() - 1], a[a.size() - 2]);
  return a == b ? Support::yes() : Support::no("[{}] is not [{}]", ir::dims_text(b), ir::dims_text(a));
}

/// same_elements(%a, %b): as many.
Support same_elements(const Match& match, const Arguments& arguments) {
  const ir::Dim a = ir::product(shape_of(match, arguments, 0)),
                b = ir::product(shape_of(match, arguments, 1));
  return a == b ? Support::yes() : Support::no("{} elements, not {}", a.str(), b.str());
}

/// counts_rows_and_columns(%rows, %columns, %grid, %x, %y): %x is [rows, columns]; %rows varies along the
/// first and %columns along the last dimension of the grid [rows, 1..., columns], which is also the shape of
/// %y.
Support counts_rows_and_columns(const Match& match, const Arguments& arguments) {
  const Dims &rows = shape_of(match, arguments, 0), &columns = shape_of(match, arguments, 1),
             &grid = shape_of(match, arguments, 2), &x = shape_of(match, arguments, 3),
             &y = shape_of(match, arguments, 4);
  if (x.size() != 2 || grid.size() < 2) return Support::no("[{}] is not [rows, columns]", ir::dims_text(x));
  Dims expected_rows(grid.size(), 1), expected_columns(grid.size(), 1), expected(grid.size(), 1);
  expected_rows.front() = expected.front() = x[0];
  expected_columns.back() = expected.back() = x[1];
  const bool good = rows == expected_rows && columns == expected_columns && grid == expected && y == expected;
  return good ? Support::yes()
              : Support::no("[{}] and [{}] do not count through [{}]", ir::dims_text(rows),
                            ir::dims_text(columns), ir::dims_text(x));
}

/// is_stride(%stride, %x, axis): known to hold the size of that dimension.
Support is_stride(const Match& match, const Arguments& arguments) {
  const auto contents = contents_of(match, arguments.value(0));
  const Dims& x = shape_of(match, arguments, 1);
  const auto axis = static_cast<size_t>(arguments.integer(2));
  const bool good = contents && contents->size() == 1 && axis < x.size() && (*contents)[0] == x[axis];
  return good ? Support::yes() : Support::no("not the size of dimension {}", axis);
}

/// counts_up(%x): constants 0, 1, 2, ... along the last axis, the only one that is not 1.
Support counts_up(const Match& match, const Arguments& arguments) {
  const Tensor data = match.tensor(arguments.value(0));
  const bool integers =
      !data.empty() && data.dtype() == DType::i64 && data.rank() >= 1 && data.shape().back() == data.size();
  if (!integers) return Support::no("not a constant row of integers");
  for (int64_t i = 0; i < data.size(); ++i)
    if (data.data<int64_t>()[i] != i) return Support::no("element {} is {}", i, data.data<int64_t>()[i]);
  return Support::yes();
}

/// counts_through(%i, %x): constant vectors of indices [..., depth] that name the first `depth` dimensions of
/// %x, each place once and in order.
Support counts_through(const Match& match, const Arguments& arguments) {
  const Tensor indices = match.tensor(arguments.value(0));
  if (indices.empty() || indices.dtype() != DType::i64 || indices.rank() == 0)
    return Support::no("not constant integers");
  const Dims& x = shape_of(match, arguments, 1);
  const int64_t depth = indices.shape().back();
  if (depth > static_cast<int64_t>(x.size())) return Support::no("more indices than dimensions");
  const auto sizes = ir::constants({x.begin(), x.begin() + depth});
  if (!sizes || element_count(*sizes) * depth != indices.size())
    return Support::no("it does not name each place once");
  for (int64_t i = 0; i < indices.size() / std::max<int64_t>(1, depth); ++i) {
    int64_t place = 0;
    for (int64_t d = 0; d < depth; ++d)
      place = place * (*sizes)[static_cast<size_t>(d)] + indices.data<int64_t>()[i * depth + d];
    if (place != i) return Support::no("place {} is {}", i, place);
  }
  return Support::yes();
}

/// counts_along(%i, %x, axis): constant indices 0, 1, 2, ... as many as %x is long along the axis.
Support counts_along(const Match& match, const Arguments& arguments) {
  const Tensor indices = match.tensor(arguments.value(0));
  const Dims& x = shape_of(match, arguments, 1);
  const auto axis =
      static_cast<size_t>(ops::normalize_axis(arguments.integer(2), static_cast<int64_t>(x.size())));
  if (indices.empty() || indices.dtype() != DType::i64) return Support::no("not constant integers");
  if (!x[axis].is(indices.size())) return Support::no("{} indices into {}", indices.size(), x[axis].str());
  for (int64_t i = 0; i < indices.size(); ++i)
    if (indices.data<int64_t>()[i] != i)
      return Support::no("element {} is {}", i, indices.data<int64_t>()[i]);
  return Support::yes();
}

/// integers(%x): integer elements.
Support integers(const Match& match, const Arguments& arguments) {
  const DType dtype = match.type(arguments.value(0)).dtype;
  return is_integer(dtype) ? Support::yes() : Support::no("its element type is {}", dtype_name(dtype));
}

/// last_of(%axes, %x): known to hold the last axis alone.
Support last_of(const Match& match, const Arguments& arguments) {
  const auto contents = contents_of(match, arguments.value(0));
  const int64_t rank = match.type(arguments.value(1)).rank();
  const bool good =
      contents && contents->size() == 1 && ((*contents)[0].is(rank - 1) || (*contents)[0].is(-1));
  return good ? Support::yes() : Support::no("not along the last axis alone");
}

/// only_last($axes, %x): the last axis and no other.
Support only_last(const Match& match, const Arguments& arguments) {
  const std::vector<int64_t> last = {match.type(arguments.value(1)).rank() - 1};
  return arguments.integers(0) == last ? Support::yes() : Support::no("not over the last axis alone");
}

/// repeats_heads(%x, %repeated, %heads): [batch, heads, 1, length, size] with the third dimension repeated,
/// and then merged into the second.
Support repeats_heads(const Match& match, const Arguments& arguments) {
  const Dims &x = shape_of(match, arguments, 0), &repeated = shape_of(match, arguments, 1),
             &heads = shape_of(match, arguments, 2);
  if (x.size() != 5 || repeated.size() != 5 || heads.size() != 4) return Support::no("not five dimensions");
  Dims once = repeated;
  once[2] = 1;
  const bool good = x == once && heads == Dims{x[0], repeated[1] * repeated[2], x[3], x[4]};
  return good ? Support::yes()
              : Support::no("[{}] as [{}] does not repeat heads of [{}]", ir::dims_text(repeated),
                            ir::dims_text(heads), ir::dims_text(x));
}

/// same_heads(%a, %b): the second dimensions are equal.
Support same_heads(const Match& match, const Arguments& arguments) {
  const Dims &a = shape_of(match, arguments, 0), &b = shape_of(match, arguments, 1);
  return a.size() > 1 && b.size() > 1 && a[1] == b[1] ? Support::yes()
                                                      : Support::no("other numbers of heads");
}

/// lowest(%x): a constant number that stands for minus infinity: no finite number of its type is lower, or
/// hardly one.
Support lowest(const Match& match, const Arguments& arguments) {
  const auto number = arguments.value(0) ? match.number(arguments.value(0)) : std::nullopt;
  if (!number) return Support::no("not a constant of one number");
  const double bound = match.type(arguments.value(0)).dtype == DType::f16 ? -65504 : -1e38;
  return *number <= bound ? Support::yes() : Support::no("{} is more than {}", *number, bound);
}

constexpr rewrite::NamedPredicate table[] = {
    {"moves_last_to_second_last", 1, moves_last_to_second_last, true},
    {"same_rank", 2, same_rank, true},
    {"rank_within", 2, rank_within},
    {"number_or_none", 3, number_or_none},
    {"attends", 3, attends},
    {"same_shape", 2, same_shape},
    {"static_shape", 1, static_shape, true},
    {"keeps_channels", 2, keeps_channels, true},
    {"splits_last", 2, splits_last, true},
    {"same_matrices", 2, same_matrices, true},
    {"transposed_matrices", 2, transposed_matrices, true},
    {"same_elements", 2, same_elements},
    {"counts_rows_and_columns", 5, counts_rows_and_columns},
    {"is_stride", 3, is_stride, true},
    {"counts_up", 1, counts_up, true},
    {"last_of", 2, last_of, true},
    {"counts_through", 2, counts_through, true},
    {"counts_along", 3, counts_along, true},
    {"integers", 1, integers, true},
    {"only_last", 2, only_last, true},
    {"repeats_heads", 3, repeats_heads, true},
    {"same_heads", 2, same_heads},
    {"lowest", 1, lowest, true},
};

}  // namespace

std::span<const rewrite::NamedPredicate> attention_predicates() { return table; }

}  // namespace burnish::rules
