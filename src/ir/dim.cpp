#include "ir/dim.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <compare>
#include <limits>

#include "base/error.h"

namespace burnish::ir {

enum Function { symbol_atom, floor_div_atom, ceil_div_atom, mod_atom, min_atom, max_atom, broadcast_atom };
constexpr std::array<std::string_view, 7> function_names = {"",    "floor_div", "ceil_div", "mod",
                                                            "min", "max",       "broadcast"};

struct Dim::Atom {
  int function = symbol_atom;
  std::string name;             // of a symbol
  std::vector<Dim> arguments;   // of a function
  std::string key;              // text: identifies the atom and orders it
};

struct Dim::Term {
  std::vector<std::shared_ptr<const Atom>> atoms;  // sorted by key; a power is an atom repeated
  int64_t coefficient = 1;
  std::string key;  // the atoms' keys joined
};

namespace {

int64_t checked_add(int64_t a, int64_t b) {
  int64_t result;
  require(!__builtin_add_overflow(a, b, &result), "a dimension overflows: {} + {}", a, b);
  return result;
}
int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t result;
  require(!__builtin_mul_overflow(a, b, &result), "a dimension overflows: {} * {}", a, b);
  return result;
}
int64_t floor_divide(int64_t a, int64_t b) {
  require(b != 0, "a dimension divides by zero");
  require(b != -1 || a != std::numeric_limits<int64_t>::min(), "a dimension overflows: {} / {}", a, b);
  const int64_t quotient = a / b;
  return quotient - ((a % b != 0) && ((a < 0) != (b < 0)));
}

// Expressions of real models stay far below these; without them a hostile one could make them grow without end.
constexpr size_t most_terms = 1024, most_factors = 128, longest_key = 1 << 14, longest_expression = 1 << 17;

int64_t apply(int function, int64_t a, int64_t b) {
  switch (function) {
    case floor_div_atom: return floor_divide(a, b);
    case ceil_div_atom: return checked_multiply(-1, floor_divide(checked_multiply(-1, a), b));
    case mod_atom: return a - checked_multiply(floor_divide(a, b), b);
    case min_atom: return std::min(a, b);
    case max_atom: return std::max(a, b);
    default:
      if (a == b || b == 1) return a;
      if (a == 1) return b;
      fail("dimensions {} and {} cannot be broadcast together", a, b);
  }
}

/// Where a value lies, as far as that is known; both ends are in it.
struct Interval {
  std::optional<int64_t> low, high;
};

std::optional<int64_t> sum(std::optional<int64_t> a, std::optional<int64_t> b) {
  int64_t result;
  if (!a || !b || __builtin_add_overflow(*a, *b, &result)) return std::nullopt;
  return result;
}
std::optional<int64_t> product(std::optional<int64_t> a, std::optional<int64_t> b) {
  int64_t result;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &result)) return std::nullopt;
  return result;
}
/// What of `choose` is sure: of both ends, or, where the other can only move it on, of the one that is known.
template <class Choose>
std::optional<int64_t> one_of(std::optional<int64_t> a, std::optional<int64_t> b, bool one_is_enough, Choose choose) {
  if (a && b) return choose(*a, *b);
  return one_is_enough ? (a ? a : b) : std::nullopt;
}

/// Of a function of values that lie there.
Interval apply(int function, const Interval& a, const Interval& b) {
  const auto lesser = [](int64_t x, int64_t y) { return std::min(x, y); };
  const auto greater = [](int64_t x, int64_t y) { return std::max(x, y); };
  const auto divided = [&](std::optional<int64_t> x) -> std::optional<int64_t> { return x ? std::optional(apply(function, *x, *b.low)) : std::nullopt; };
  const bool by_number = b.low && b.high && *b.low == *b.high && *b.low > 0;
  switch (function) {
    case floor_div_atom:
    case ceil_div_atom: return by_number && a.low && *a.low >= 0 ? Interval{divided(a.low), divided(a.high)} : Interval{};
    case mod_atom: return by_number ? Interval{0, *b.low - 1} : Interval{};
    case min_atom: return {one_of(a.low, b.low, false, lesser), one_of(a.high, b.high, true, lesser)};
    case max_atom: return {one_of(a.low, b.low, true, greater), one_of(a.high, b.high, false, greater)};
    default: return {one_of(a.low, b.low, false, lesser), one_of(a.high, b.high, false, greater)};
  }
}

}  // namespace

struct DimBuilder {
  using Atom = Dim::Atom;
  using Term = Dim::Term;
  using Terms = Dim::Terms;

  static std::string term_key(const std::vector<std::shared_ptr<const Atom>>& atoms) {
    std::string key;
    for (const auto& atom : atoms) key += (key.empty() ? "" : "*") + atom->key;
    return key;
  }

  /// The characters of all terms.
  static size_t length(const Terms& terms) {
    size_t characters = 0;
    for (const Term& term : terms) characters += term.key.size();
    return characters;
  }

  static void check_length(size_t characters) {
    require(characters <= longest_expression, "a dimension's expression is longer than {} characters", longest_expression);
  }

  static Dim make(int64_t constant, Terms terms) {
    std::sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.key < b.key; });
    Terms merged;
    for (Term& term : terms) {
      if (!merged.empty() && merged.back().key == term.key)
        merged.back().coefficient = checked_add(merged.back().coefficient, term.coefficient);
      else
        merged.push_back(std::move(term));
    }
    std::erase_if(merged, [](const Term& term) { return term.coefficient == 0; });
    require(merged.size() <= most_terms, "a dimension's expression has more than {} terms", most_terms);
    check_length(length(merged));
    // The smallest number has no counterpart above zero, so that an expression that takes it away could not
    // be written.
    constexpr int64_t smallest = std::numeric_limits<int64_t>::min();
    const bool writable =
        constant != smallest && std::none_of(merged.begin(), merged.end(),
                                             [](const Term& term) { return term.coefficient == smallest; });
    require(writable || merged.empty(), "a dimension overflows: it would have the number {}", smallest);
    Dim dim(constant);
    if (!merged.empty()) dim.terms_ = std::make_shared<const Terms>(std::move(merged));
    return dim;
  }

  static Dim from_atom(Atom atom) {
    require(atom.key.size() <= longest_key, "a dimension's expression is longer than {} characters", longest_key);
    Term term;
    term.atoms.push_back(std::make_shared<const Atom>(std::move(atom)));
    term.key = term.atoms[0]->key;
    return make(0, {std::move(term)});
  }

  /// What a nest of one binary function stands on: of f(a, f(b, c)) a, b and c; of anything else that itself.
  static void collect_operands(int function, const Dim& dim, std::vector<Dim>& into) {
    const bool single = dim.terms_ && dim.constant_ == 0 && dim.terms_->size() == 1 &&
                        dim.terms_->front().coefficient == 1 && dim.terms_->front().atoms.size() == 1;
    const Atom* atom = single ? dim.terms_->front().atoms[0].get() : nullptr;
    if (!atom || atom->function != function) return into.push_back(dim);
    for (const Dim& argument : atom->arguments) collect_operands(function, argument, into);
  }

  static Terms terms_of(const Dim& dim) { return dim.terms_ ? *dim.terms_ : Terms{}; }

  static Terms scaled(Terms terms, int64_t factor) {
    for (Term& term : terms) term.coefficient = checked_multiply(term.coefficient, factor);
    return terms;
  }

  static Dim scaled_by(const Dim& dim, int64_t factor) {
    return make(checked_multiply(dim.constant_, factor), scaled(terms_of(dim), factor));
  }

  static Term multiplied(const Term& a, const Term& b) {
    Term term;
    term.atoms = a.atoms;
    term.atoms.insert(term.atoms.end(), b.atoms.begin(), b.atoms.end());
    require(term.atoms.size() <= most_factors, "a dimension's expression has more than {} factors", most_factors);
    std::sort(term.atoms.begin(), term.atoms.end(), [](const auto& x, const auto& y) { return x->key < y->key; });
    term.coefficient = checked_multiply(a.coefficient, b.coefficient);
    term.key = term_key(term.atoms);
    return term;
  }

  /// How often each atom stands in a product.
  static std::map<std::string_view, int> powers(const Term& term) {
    std::map<std::string_view, int> counts;
    for (const auto& atom : term.atoms) ++counts[atom->key];
    return counts;
  }

  /// The graded order of monomials: more factors lead, then higher powers of the atoms in turn.
  static bool leads(const Term& a, const Term& b) {
    if (a.atoms.size() != b.atoms.size()) return a.atoms.size() > b.atoms.size();
    const auto first = powers(a), second = powers(b);
    const auto [x, y] = std::mismatch(first.begin(), first.end(), second.begin(), second.end());
    if (x == first.end() || y == second.end()) return false;
    return x->first == y->first ? x->second > y->second : x->first < y->first;
  }

  static Dim leading(const Dim& dim) { return make(0, {*std::min_element(dim.terms_->begin(), dim.terms_->end(), leads)}); }

  /// a / b for a b of several terms, where that is a polynomial.
  static std::optional<Dim> long_division(Dim a, const Dim& b) {
    const Dim divisor = leading(b);
    if (divisor.terms_->front().coefficient == -1) return long_division(scaled_by(a, -1), scaled_by(b, -1));
    Dim quotient;
    for (size_t steps = 0; !a.is(0); ++steps) {
      if (a.is_constant() || steps == most_terms) return std::nullopt;
      const std::optional<Dim> next = divide(leading(a), divisor);
      if (!next) return std::nullopt;
      quotient = quotient + *next;
      a = a - *next * b;
    }
    return quotient;
  }

  /// The same, where what grows beyond the limits of an expression on the way counts as none.
  static std::optional<Dim> divide_by_sum(const Dim& a, const Dim& b) {
    try {
      return long_division(a, b);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  /// a / b where it is shown to be a polynomial.
  static std::optional<Dim> divide(const Dim& a, const Dim& b) {
    if (b.is(0)) return std::nullopt;
    if (a == b) return Dim(1);
    if (b.is(-1)) return scaled_by(a, -1);
    Term divisor;
    if (b.is_constant()) {
      divisor.coefficient = b.constant_;
    } else {
      if (b.constant_ != 0 || b.terms_->size() != 1) return divide_by_sum(a, b);
      divisor = b.terms_->front();
    }
    if (divisor.coefficient == -1) return std::nullopt;  // canonical expressions lead with no sign of their own
    if (a.constant_ != 0 && (!divisor.atoms.empty() || a.constant_ % divisor.coefficient != 0)) return std::nullopt;
    Terms quotient;
    int64_t constant = a.constant_ / (divisor.atoms.empty() ? divisor.coefficient : 1);
    for (Term term : terms_of(a)) {
      if (term.coefficient % divisor.coefficient != 0) return std::nullopt;
      term.coefficient /= divisor.coefficient;
      for (const auto& atom : divisor.atoms) {
        auto found = std::find_if(term.atoms.begin(), term.atoms.end(), [&](const auto& x) { return x->key == atom->key; });
        if (found == term.atoms.end()) return std::nullopt;
        term.atoms.erase(found);
      }
      if (term.atoms.empty()) {
        constant = checked_add(constant, term.coefficient);
      } else {
        term.key = term_key(term.atoms);
        quotient.push_back(std::move(term));
      }
    }
    return make(constant, std::move(quotient));
  }

  /// The numbers c of a dimension that is min(c, ...) or min(..., c) and nothing more.
  static std::vector<int64_t> bounds(const Dim& dim) {
    std::vector<int64_t> numbers;
    if (!dim.terms_ || dim.constant_ != 0 || dim.terms_->size() != 1) return numbers;
    const Term& term = dim.terms_->front();
    if (term.coefficient != 1 || term.atoms.size() != 1 || term.atoms[0]->function != min_atom) return numbers;
    for (const Dim& argument : term.atoms[0]->arguments)
      if (argument.is_constant()) numbers.push_back(argument.constant());
    return numbers;
  }

  static int64_t constant_part(const Dim& dim) { return dim.constant_; }

  /// y of an expression y - mod(y, b).
  static std::optional<Dim> before_remainder(const Dim& dim, const Dim& b) {
    for (const Term& term : terms_of(dim)) {
      if (term.coefficient != -1 || term.atoms.size() != 1 || term.atoms[0]->function != mod_atom) continue;
      const auto& arguments = term.atoms[0]->arguments;
      if (arguments[1] == b && arguments[0] - mod(arguments[0], b) == dim) return arguments[0];
    }
    return std::nullopt;
  }

  /// The expression made again, of what `symbol` and `function` make of its parts.
  template <class Symbol, class Function>
  static Dim rebuilt(const Dim& dim, const Symbol& symbol, const Function& function) {
    if (!dim.terms_) return dim;
    Dim sum(dim.constant_);
    for (const Term& term : *dim.terms_) {
      Dim value(term.coefficient);
      for (const auto& atom : term.atoms) {
        if (atom->function == symbol_atom)
          value = value * symbol(atom->name);
        else
          value = value * function(atom->function, rebuilt(atom->arguments[0], symbol, function), rebuilt(atom->arguments[1], symbol, function));
      }
      sum = sum + value;
    }
    return sum;
  }

  static Interval interval(const Atom& atom, const SymbolRanges& symbols) {
    if (atom.function != symbol_atom) return apply(atom.function, interval(atom.arguments[0], symbols), interval(atom.arguments[1], symbols));
    const auto found = symbols.find(atom.name);
    if (found == symbols.end()) return {0, std::nullopt};
    return {found->second.min, found->second.max < 0 ? std::nullopt : std::optional(found->second.max)};
  }

  static Interval interval(const Dim& dim, const SymbolRanges& symbols) {
    Interval all = {dim.constant_, dim.constant_};
    for (const Term& term : terms_of(dim)) {
      Interval one = {1, 1};
      for (const auto& atom : term.atoms) {
        const Interval factor = interval(*atom, symbols);
        if (!factor.low || *factor.low < 0) return {};
        one = {product(one.low, factor.low), product(one.high, factor.high)};
      }
      one = {product(one.low, term.coefficient), product(one.high, term.coefficient)};
      if (term.coefficient < 0) std::swap(one.low, one.high);
      all = {sum(all.low, one.low), sum(all.high, one.high)};
    }
    return all;
  }

  static void collect_broadcasts(const Dim& dim, std::vector<std::pair<Dim, Dim>>& into) {
    for (const Term& term : terms_of(dim)) {
      for (const auto& atom : term.atoms) {
        for (const Dim& argument : atom->arguments) collect_broadcasts(argument, into);
        if (atom->function == broadcast_atom) into.emplace_back(atom->arguments[0], atom->arguments[1]);
      }
    }
  }
};

void collect_broadcasts(const Dim& dim, std::vector<std::pair<Dim, Dim>>& into) { DimBuilder::collect_broadcasts(dim, into); }

Dim make_function(int function, std::vector<Dim> arguments) {
  if (arguments[0].is_constant() && arguments[1].is_constant())
    return apply(function, arguments[0].constant(), arguments[1].constant());
  Dim::Atom atom;
  atom.function = function;
  atom.key = fmt::format("{}({}, {})", function_names[static_cast<size_t>(function)], arguments[0].str(), arguments[1].str());
  atom.arguments = std::move(arguments);
  return DimBuilder::from_atom(std::move(atom));
}

/// The function of two dimensions, as simple as it gets.
static Dim combine(int function, const Dim& a, const Dim& b) {
  switch (function) {
    case floor_div_atom: return floor_div(a, b);
    case ceil_div_atom: return ceil_div(a, b);
    case mod_atom: return mod(a, b);
    case min_atom: return min(a, b);
    case max_atom: return max(a, b);
    default: return broadcast(a, b);
  }
}

Dim Dim::symbol(std::string name) {
  Atom atom;
  atom.key = name;
  atom.name = std::move(name);
  return DimBuilder::from_atom(std::move(atom));
}

int64_t Dim::constant() const {
  require(is_constant(), "dimension {} is not a number yet", str());
  return constant_;
}

std::optional<std::string> Dim::symbol_name() const {
  if (!terms_ || constant_ != 0 || terms_->size() != 1) return std::nullopt;
  const Term& term = terms_->front();
  if (term.coefficient != 1 || term.atoms.size() != 1 || term.atoms[0]->function != symbol_atom) return std::nullopt;
  return term.atoms[0]->name;
}

void Dim::collect_symbols(std::set<std::string>& into) const {
  if (!terms_) return;
  for (const Term& term : *terms_) {
    for (const auto& atom : term.atoms) {
      if (atom->function == symbol_atom) into.insert(atom->name);
      for (const Dim& argument : atom->arguments) argument.collect_symbols(into);
    }
  }
}

bool Dim::never_negative() const {
  if (constant_ < 0) return false;
  if (!terms_) return true;
  const auto atom_is = [](const std::shared_ptr<const Atom>& atom) {
    if (atom->function == symbol_atom) return true;
    const bool first = atom->arguments[0].never_negative(), second = atom->arguments[1].never_negative();
    if (atom->function == mod_atom) return second;
    return atom->function == max_atom ? first || second : first && second;
  };
  return std::all_of(terms_->begin(), terms_->end(), [&](const Term& term) {
    return term.coefficient > 0 && std::all_of(term.atoms.begin(), term.atoms.end(), atom_is);
  });
}

std::string Dim::str() const {
  if (!terms_) return std::to_string(constant_);
  std::string text;
  for (const Term& term : *terms_) {
    const int64_t coefficient = term.coefficient;
    if (text.empty()) {
      if (coefficient == -1) text += "-";
      else if (coefficient != 1) text += std::to_string(coefficient) + "*";
    } else {
      text += coefficient < 0 ? " - " : " + ";
      if (coefficient != 1 && coefficient != -1) text += std::to_string(coefficient < 0 ? -coefficient : coefficient) + "*";
    }
    text += term.key;
  }
  if (constant_ != 0) text += fmt::format(" {} {}", constant_ < 0 ? '-' : '+', constant_ < 0 ? -constant_ : constant_);
  return text;
}

int64_t Dim::evaluate(const Bindings& bindings) const {
  int64_t sum = constant_;
  if (!terms_) return sum;
  for (const Term& term : *terms_) {
    int64_t value = term.coefficient;
    for (const auto& atom : term.atoms) {
      if (atom->function == symbol_atom) {
        const auto found = bindings.find(atom->name);
        require(found != bindings.end(), "dimension '{}' has no value yet", atom->name);
        value = checked_multiply(value, found->second);
      } else {
        value = checked_multiply(value, apply(atom->function, atom->arguments[0].evaluate(bindings),
                                              atom->arguments[1].evaluate(bindings)));
      }
    }
    sum = checked_add(sum, value);
  }
  return sum;
}

Dim Dim::substitute(const std::map<std::string, Dim, std::less<>>& replacements) const {
  return DimBuilder::rebuilt(
      *this,
      [&](const std::string& name) {
        const auto found = replacements.find(name);
        return found == replacements.end() ? symbol(name) : found->second;
      },
      combine);
}

Dim Dim::within(const SymbolRanges& symbols) const {
  if (!terms_ || symbols.empty()) return *this;
  return DimBuilder::rebuilt(
      *this, [](const std::string& name) { return symbol(name); },
      [&](int function, const Dim& a, const Dim& b) {
        if (function != min_atom && function != max_atom) return combine(function, a, b);
        const Interval difference = DimBuilder::interval(b - a, symbols);
        if (difference.low && *difference.low >= 0) return function == min_atom ? a : b;
        if (difference.high && *difference.high <= 0) return function == min_atom ? b : a;
        return combine(function, a, b);
      });
}

Dim operator+(const Dim& a, const Dim& b) {
  if (!a.terms_ && !b.terms_) return checked_add(a.constant_, b.constant_);
  Dim::Terms terms = DimBuilder::terms_of(a);
  for (Dim::Term& term : DimBuilder::terms_of(b)) terms.push_back(term);
  return DimBuilder::make(checked_add(a.constant_, b.constant_), std::move(terms));
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (!a.terms_ && !b.terms_) return checked_multiply(a.constant_, b.constant_);
  const Dim::Terms left = DimBuilder::terms_of(a), right = DimBuilder::terms_of(b);
  // Of terms that may come to little once they are merged, so that much time would be spent before make() sees it.
  DimBuilder::check_length(DimBuilder::length(left) * (right.size() + 1) + DimBuilder::length(right) * (left.size() + 1));
  Dim::Terms terms;
  for (const Dim::Term& x : left)
    for (const Dim::Term& y : right) terms.push_back(DimBuilder::multiplied(x, y));
  for (Dim::Term& x : DimBuilder::scaled(left, b.constant_)) terms.push_back(std::move(x));
  for (Dim::Term& y : DimBuilder::scaled(right, a.constant_)) terms.push_back(std::move(y));
  return DimBuilder::make(checked_multiply(a.constant_, b.constant_), std::move(terms));
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.constant_ != b.constant_) return false;
  if (!a.terms_ || !b.terms_) return !a.terms_ && !b.terms_;
  return std::equal(a.terms_->begin(), a.terms_->end(), b.terms_->begin(), b.terms_->end(),
                    [](const Dim::Term& x, const Dim::Term& y) { return x.coefficient == y.coefficient && x.key == y.key; });
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (b.is(1)) return a;
  if (auto quotient = DimBuilder::divide(a, b)) return *quotient;
  if (auto whole = DimBuilder::before_remainder(a, b)) return floor_div(*whole, b);
  return make_function(floor_div_atom, {a, b});
}
Dim ceil_div(const Dim& a, const Dim& b) {
  if (b.is(1)) return a;
  if (auto quotient = DimBuilder::divide(a, b)) return *quotient;
  if (auto whole = DimBuilder::before_remainder(a, b)) return floor_div(*whole, b);
  return make_function(ceil_div_atom, {a, b});
}
Dim exact_div(const Dim& a, const Dim& b) { return floor_div(a, b); }
Dim mod(const Dim& a, const Dim& b) {
  if (DimBuilder::divide(a, b) || DimBuilder::before_remainder(a, b)) return 0;
  return make_function(mod_atom, {a, b});
}
Dim min(const Dim& a, const Dim& b) {
  if ((b - a).never_negative()) return a;
  if ((a - b).never_negative()) return b;
  return a.str() < b.str() ? make_function(min_atom, {a, b}) : make_function(min_atom, {b, a});
}
Dim max(const Dim& a, const Dim& b) {
  if ((a - b).never_negative()) return a;
  if ((b - a).never_negative()) return b;
  return a.str() < b.str() ? make_function(max_atom, {a, b}) : make_function(max_atom, {b, a});
}
/// Whether b is min(c, a) with a number c > 1: then the two can be broadcast together only where they are equal.
bool is_bounded(const Dim& b, const Dim& a) {
  for (int64_t bound : DimBuilder::bounds(b))
    if (bound > 1 && min(Dim(bound), a) == b) return true;
  return false;
}
Dim broadcast(const Dim& a, const Dim& b) {
  if (a == b || b.is(1)) return a;
  if (a.is(1)) return b;
  if (is_bounded(b, a)) return a;
  if (is_bounded(a, b)) return b;
  // A number other than 1 decides: the other side must be it, or 1.
  if (a.is_constant() && !b.is_constant()) return a;
  if (b.is_constant() && !a.is_constant()) return b;
  // Associative, commutative and idempotent: the distinct operands in order, so that residual chains do not grow.
  std::vector<Dim> operands;
  DimBuilder::collect_operands(broadcast_atom, a, operands);
  DimBuilder::collect_operands(broadcast_atom, b, operands);
  std::sort(operands.begin(), operands.end(), [](const Dim& x, const Dim& y) { return x.str() < y.str(); });
  operands.erase(std::unique(operands.begin(), operands.end()), operands.end());
  Dim result = operands.back();
  for (size_t i = operands.size() - 1; i-- > 0;) result = make_function(broadcast_atom, {operands[i], result});
  return result;
}

Dim product(const std::vector<Dim>& dims) {
  Dim result(1);
  for (const Dim& dim : dims) result = result * dim;
  return result;
}

std::vector<int64_t> evaluate(const std::vector<Dim>& dims, const Bindings& bindings) {
  std::vector<int64_t> values;
  values.reserve(dims.size());
  for (const Dim& dim : dims) values.push_back(dim.evaluate(bindings));
  return values;
}

std::optional<std::vector<int64_t>> constants(const std::vector<Dim>& dims) {
  std::vector<int64_t> values;
  for (const Dim& dim : dims) {
    if (!dim.is_constant()) return std::nullopt;
    values.push_back(dim.constant());
  }
  return values;
}

std::string dims_text(const std::vector<Dim>& dims) {
  std::string text;
  for (const Dim& dim : dims) text += (text.empty() ? "" : ",") + dim.str();
  return text;
}

}  // namespace burnish::ir
