// A dimension: a number, or an expression over named symbols.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace burnish::ir {

/// What each symbol stands for in one run.
using Bindings = std::map<std::string, int64_t, std::less<>>;

/// min, opt and max of a symbol; max < 0 means unbounded.
struct SymbolRange {
  int64_t min = 0, opt = 1, max = -1;
  friend bool operator==(const SymbolRange&, const SymbolRange&) = default;
};
using SymbolRanges = std::map<std::string, SymbolRange, std::less<>>;

/// An integer expression in canonical form: a sum of products of atoms with integer coefficients, where an atom
/// is a symbol or one of floor_div, ceil_div, mod, min, max, broadcast. Equal forms compare equal.
/// Text: "3", "n", "2*h + 1", "floor_div(h - 1, 2)"; parse() takes what str() gives.
class Dim {
 public:
  Dim(int64_t value = 0) : constant_(value) {}
  Dim(int value) : constant_(value) {}
  static Dim symbol(std::string name);
  static Dim parse(std::string_view text);  ///< throws Error on bad text

  bool is_constant() const { return !terms_; }
  int64_t constant() const;  ///< throws Error if not constant
  bool is(int64_t value) const { return is_constant() && constant_ == value; }
  /// The name, if this is one symbol and nothing else.
  std::optional<std::string> symbol_name() const;
  void collect_symbols(std::set<std::string>& into) const;
  /// True where the form shows it to be at least 0, given that symbols are sizes; false where it is not sure.
  bool never_negative() const;

  std::string str() const;
  /// Throws Error naming a symbol without a binding, a division by zero, or an overflow.
  int64_t evaluate(const Bindings& bindings) const;
  /// Replaces the symbols that `bindings` names; the others stay.
  Dim substitute(const std::map<std::string, Dim, std::less<>>& replacements) const;
  /// The same for all values that the symbols may take: each min and max that their ranges decide is the one side.
  Dim within(const SymbolRanges& symbols) const;

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b);

  struct Atom;
  struct Term;
  using Terms = std::vector<Term>;

 private:
  friend Dim make_function(int function, std::vector<Dim> arguments);
  friend struct DimBuilder;

  int64_t constant_ = 0;                  // the constant part; all of it when terms_ is null
  std::shared_ptr<const Terms> terms_;    // sorted, no zero coefficients, never empty
};

Dim floor_div(const Dim& a, const Dim& b);
Dim ceil_div(const Dim& a, const Dim& b);
Dim mod(const Dim& a, const Dim& b);  ///< result has the divisor's sign
Dim min(const Dim& a, const Dim& b);
Dim max(const Dim& a, const Dim& b);
/// Multidirectional broadcasting of one dimension: the other one where one is 1; evaluate() throws where
/// neither is 1 and they differ, and so does this when both are numbers.
Dim broadcast(const Dim& a, const Dim& b);
/// The exact quotient a / b when it can be shown to be a polynomial, else floor_div.
Dim exact_div(const Dim& a, const Dim& b);

Dim product(const std::vector<Dim>& dims);
std::vector<int64_t> evaluate(const std::vector<Dim>& dims, const Bindings& bindings);
/// The numbers, if all of them are numbers.
std::optional<std::vector<int64_t>> constants(const std::vector<Dim>& dims);
std::string dims_text(const std::vector<Dim>& dims);  ///< "n,3,224,224"

}  // namespace burnish::ir
