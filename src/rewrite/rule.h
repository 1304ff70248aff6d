// A rewrite rule as the rule language describes it. The grammar is that in which the IR prints itself:
//
//   rule rms_norm
//     match  %y = mul(%x, rsqrt(add(reduce_mean(mul(%x, %x)) {axes=[-1], keepdims=true}, %eps)))
//     where  scalar(%eps)
//     emit   %y = rms_norm(%x) {epsilon=value(%eps)}
//     test   %x: f32[n,t,7], @eps: f32[] = {1e-5}
//
// match  statements %a, %b = pattern; a name on the left may stand in later patterns; the last one is the
// root.
//        A pattern is a variable (%x; %b? may be omitted; %xs* takes the rest), a number (a constant all of
//        whose elements are it, within 1e-5 or what follows '~'), an op with its inputs, or ( pattern |
//        pattern ). {axis=-1} asks for an attribute's value, {axis=$a} captures it, {$rest} captures all
//        others; attributes that a pattern does not mention must have their defaults, as in the IR's own
//        text. Inputs of commutative ops match in either order.
// where  predicates of vocabulary.h, each with a reason when it says no; "not" turns one round.
// shared values inside the match that others may go on using. (Any other inner value must have no other use.)
// emit   statements that make what replaces the values of the same names. Numbers, lists and functions of
//        vocabulary.h stand for constants in the place of inputs, and for values of attributes in braces.
// test   types of the variables, one line per trial: symbols in shapes stand for random sizes, @w for a
// constant;
//        "> 0" after a type asks for positive elements, "= {1, 2}" gives a constant's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/attribute_value.h"
#include "ops/op_def.h"
#include "rewrite/vocabulary.h"

namespace burnish::rewrite {

/// What stands in braces, in a call's parentheses, or for a constant in `emit`.
struct Term {
  enum class Kind { literal, capture, variable, call };
  Kind kind = Kind::literal;
  ir::AttributeValue literal;
  double tolerance = 1e-6;  ///< of a number in a pattern
  int slot = -1;            ///< of a capture or variable
  const NamedFunction* function = nullptr;
  std::vector<Term> arguments;
};

/// {name=term, ..., $all}
struct Braces {
  std::vector<std::pair<std::string, Term>> named;
  int all = -1;  ///< slot of the capture that takes (match) or gives (emit) whatever is not named
};

struct Pattern {
  enum class Kind { variable, number, op, alternatives };
  Kind kind = Kind::variable;
  int slot = -1;                      ///< of a variable
  bool optional = false;              ///< %b?
  bool variadic = false;              ///< %xs*
  double number = 0, tolerance = -1;  ///< tolerance < 0: the element type's own
  const ops::OpDef* op = nullptr;
  bool commutative = false;
  Braces attributes;
  std::vector<int> outputs;  ///< slots of the names that the statement gives to the op's outputs; -1 for "_"
  std::vector<Pattern> parts;  ///< inputs of an op, or the alternatives
};

/// A node, variable or constant of `emit`.
struct Emitted {
  enum class Kind { variable, constant, op };
  Kind kind = Kind::variable;
  int slot = -1;
  Term constant;
  const ops::OpDef* op = nullptr;
  Braces attributes;
  std::vector<Emitted> inputs;
};

struct EmitStatement {
  std::vector<int> outputs;  ///< slots
  Emitted expression;
};

struct Condition {
  const NamedPredicate* predicate = nullptr;
  bool negated = false;
  std::vector<Term> arguments;
  std::string text;  ///< as written, for near misses
};

/// One variable of a `test` line.
struct TestValue {
  int slot = -1;
  ir::TensorType type;
  bool is_constant = false;
  bool is_positive = false;      ///< "> 0": random elements above zero
  std::vector<double> elements;  ///< of a constant whose elements are given
};

/// One captured attribute of a `test` line: $axes = [-1], or $conv = {stride=[2,2]}.
struct TestCapture {
  int slot = -1;
  ir::AttributeValue value;
  std::vector<ir::NamedAttribute> attributes;
};

struct Test {
  std::vector<TestValue> values;
  std::vector<TestCapture> captures;
};

struct Rule {
  std::string name;
  std::vector<std::string> variables;  ///< names by slot
  std::vector<std::string> captures;
  std::vector<bool> is_variadic;     ///< by variable slot
  std::vector<Pattern> definitions;  ///< the match statements; the last is the root
  std::vector<int> definition_of;    ///< by variable slot: index into definitions, or -1
  std::vector<Condition> conditions;
  std::vector<int> shared;
  std::vector<EmitStatement> emit;
  std::vector<int> replaced;  ///< slots named on the left of both match and emit
  std::vector<Test> tests;

  const Pattern& root() const { return definitions.back(); }
};

/// Parses a file of rules. Throws Error that names `file`, line and column.
std::vector<Rule> parse_rules(std::string_view file, std::string_view text, const Vocabulary& vocabulary);

}  // namespace burnish::rewrite
