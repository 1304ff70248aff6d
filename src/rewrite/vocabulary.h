// What rules may call: predicates in `where`, functions in `emit`. Their tables are in src/rules.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ir/attribute_value.h"
#include "ir/graph.h"

namespace burnish::rewrite {

class Match;

/// One evaluated argument of a call: a value of the graph or what an attribute could be.
struct Argument {
  ir::ValueId value;  ///< empty for a literal, and for an optional variable that matched nothing
  bool is_variable = false;
  std::vector<ir::ValueId> list;  ///< of a variadic variable
  ir::AttributeValue literal;
};

/// Typed access to arguments; throws Error when a rule passes something else (a mistake in the rule).
class Arguments {
 public:
  explicit Arguments(std::vector<Argument> arguments) : arguments_(std::move(arguments)) {}
  size_t size() const { return arguments_.size(); }
  const Argument& operator[](size_t i) const;
  ir::ValueId value(size_t i) const;
  bool is_value(size_t i) const { return (*this)[i].is_variable; }
  int64_t integer(size_t i) const;
  double number(size_t i) const;
  const std::vector<int64_t>& integers(size_t i) const;
  const std::string& word(size_t i) const;
  const ir::Attributes& attributes(size_t i) const;

 private:
  std::vector<Argument> arguments_;
};

/// Yes, or why not.
using Predicate = Support (*)(const Match&, const Arguments&);
/// What a rule computes from what it matched.
using Function = ir::AttributeValue (*)(const Match&, const Arguments&);

struct NamedPredicate {
  std::string_view name;
  int arguments;  ///< how many; -1 for any number
  Predicate call;
  bool is_quiet = false;  ///< says what the pattern is rather than what stands in its way: no near miss
};
struct NamedFunction {
  std::string_view name;
  int arguments;
  Function call;
};

struct Vocabulary {
  std::span<const NamedPredicate> predicates;
  std::span<const NamedFunction> functions;
};

}  // namespace burnish::rewrite
