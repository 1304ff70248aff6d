#include <algorithm>
#include <map>
#include <set>

#include "ir/read.h"
#include "ops/table.h"
#include "rewrite/rule.h"

namespace burnish::rewrite {
namespace {

using ir::Lexer;
using ir::TokenKind;

class RuleParser {
 public:
  RuleParser(std::string_view text, const Vocabulary& vocabulary) : lexer_(text), vocabulary_(vocabulary) {}

  std::vector<Rule> parse() {
    std::vector<Rule> rules;
    while (!lexer_.at_end()) {
      lexer_.expect("rule");
      rule_ = Rule{};
      variables_.clear();
      captures_.clear();
      rule_.name = lexer_.expect_word();
      match();
      if (lexer_.accept("where")) comma_separated([&] { condition(); });
      if (lexer_.accept("shared")) comma_separated([&] { rule_.shared.push_back(bound_variable()); });
      emit();
      while (lexer_.accept("test")) test();
      rules.push_back(std::move(rule_));
    }
    return rules;
  }

 private:
  // --- match ---
  void match() {
    lexer_.expect("match");
    do {
      const std::vector<int> names = left_side([&](const std::string& name) {
        if (variables_.contains(name)) lexer_.fail("%" + name + " has a meaning already");
        return variable(name);
      });
      Pattern defined = pattern(0);
      if (defined.kind != Pattern::Kind::op && defined.kind != Pattern::Kind::alternatives)
        lexer_.fail("a statement needs an op on its right side");
      name_outputs(defined, names);
      for (int slot : names)
        if (slot >= 0)
          rule_.definition_of[static_cast<size_t>(slot)] = static_cast<int>(rule_.definitions.size());
      rule_.definitions.push_back(std::move(defined));
    } while (lexer_.at("%"));
    check_root(rule_.root());
  }

  void check_root(const Pattern& root) const {
    if (root.kind == Pattern::Kind::op) return;
    for (const Pattern& part : root.parts) {
      if (part.kind == Pattern::Kind::variable || part.kind == Pattern::Kind::number)
        lexer_.fail("every alternative of the last statement must be an op");
      check_root(part);
    }
  }

  static void name_outputs(Pattern& defined, const std::vector<int>& names) {
    defined.outputs = names;
    if (defined.kind != Pattern::Kind::alternatives) return;
    for (Pattern& part : defined.parts) name_outputs(part, names);
  }

  template <class Slot>
  std::vector<int> left_side(Slot&& slot) {
    std::vector<int> names;
    do {
      if (lexer_.accept("_")) {
        names.push_back(-1);
        continue;
      }
      lexer_.expect("%");
      names.push_back(slot(lexer_.expect_name()));
    } while (lexer_.accept(","));
    lexer_.expect("=");
    return names;
  }

  Pattern pattern(int depth) {
    if (depth > 64) lexer_.fail("patterns are nested too deeply");
    Pattern made;
    if (lexer_.accept("(")) {
      made.kind = Pattern::Kind::alternatives;
      do made.parts.push_back(pattern(depth + 1));
      while (lexer_.accept("|"));
      lexer_.expect(")");
    } else if (lexer_.accept("_")) {
      made.optional = true;
    } else if (lexer_.accept("%")) {
      made.slot = variable(lexer_.expect_name());
      made.optional = lexer_.accept("?");
      made.variadic = !made.optional && lexer_.accept("*");
      if (made.variadic) rule_.is_variadic[static_cast<size_t>(made.slot)] = true;
    } else if (lexer_.peek().kind == TokenKind::word && lexer_.peek().text != "inf") {
      made.kind = Pattern::Kind::op;
      made.op = op();
      lexer_.expect("(");
      list(")", [&] { made.parts.push_back(pattern(depth + 1)); });
      check_inputs(*made.op, made.parts.size());
      made.commutative = made.op->commutative && made.parts.size() == 2;
      made.attributes = braces(*made.op, [&](const std::string& name) { return capture(name); });
    } else {
      made.kind = Pattern::Kind::number;
      made.number = ir::read_number(lexer_);
      if (lexer_.accept("~")) made.tolerance = ir::read_number(lexer_);
    }
    return made;
  }

  const ops::OpDef* op() {
    const std::string name = lexer_.peek().text;
    const ir::Op* found = ops::op_lookup().find(name);
    if (!found) lexer_.fail("unknown op '" + name + "'");
    lexer_.take();
    return static_cast<const ops::OpDef*>(found);
  }

  void check_inputs(const ops::OpDef& op, size_t count) const {
    const bool variadic = !op.inputs.empty() && op.inputs.back().variadic;
    if (count > op.inputs.size() && !variadic) lexer_.fail("op '" + op.name + "' has fewer inputs");
  }

  // --- terms ---
  template <class Slot>
  Braces braces(const ops::OpDef& op, Slot&& slot) {
    Braces made;
    if (!lexer_.accept("{")) return made;
    list("}", [&] {
      if (lexer_.accept("$")) {
        made.all = slot(lexer_.expect_name());
        return;
      }
      const std::string name = lexer_.expect_word();
      if (!ir::get_attribute(op.default_attributes, name))
        lexer_.fail("op '" + op.name + "' has no attribute '" + name + "'");
      lexer_.expect("=");
      if (lexer_.accept("$")) {
        Term term;
        term.kind = Term::Kind::capture;
        term.slot = slot(lexer_.expect_name());
        made.named.emplace_back(name, term);
      } else {
        made.named.emplace_back(name, term());
      }
    });
    return made;
  }

  Term term() {
    Term made;
    if (lexer_.accept("$")) {
      made.kind = Term::Kind::capture;
      made.slot = bound_capture(lexer_.expect_name());
      return made;
    }
    if (lexer_.at("%")) {
      made.kind = Term::Kind::variable;
      made.slot = bound_variable();
      return made;
    }
    made.literal = ir::read_attribute(lexer_);
    if (lexer_.accept("~")) made.tolerance = ir::read_number(lexer_);
    const std::string* word = std::get_if<std::string>(&made.literal);
    if (!word || !lexer_.at("(")) return made;
    made.kind = Term::Kind::call;
    made.function = named(vocabulary_.functions, *word, "function");
    made.arguments = arguments(made.function->arguments);
    return made;
  }

  std::vector<Term> arguments(int expected) {
    std::vector<Term> made;
    lexer_.expect("(");
    list(")", [&] { made.push_back(term()); });
    if (expected >= 0 && made.size() != static_cast<size_t>(expected))
      lexer_.fail("expected " + std::to_string(expected) + " arguments, found " +
                  std::to_string(made.size()));
    return made;
  }

  template <class Entry>
  const Entry* named(std::span<const Entry> table, const std::string& name, const std::string& kind) const {
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const Entry& entry) { return entry.name == name; });
    if (found == table.end()) lexer_.fail("there is no " + kind + " '" + name + "'");
    return &*found;
  }

  void condition() {
    Condition made;
    made.negated = lexer_.accept("not");
    const std::string name = lexer_.expect_word();
    made.predicate = named(vocabulary_.predicates, name, "predicate");
    made.text = (made.negated ? "not " : "") + name;
    made.arguments = arguments(made.predicate->arguments);
    rule_.conditions.push_back(std::move(made));
  }

  // --- emit ---
  void emit() {
    lexer_.expect("emit");
    std::set<std::string> made_here;
    do {
      std::vector<std::string> names;
      EmitStatement statement;
      statement.outputs = left_side([&](const std::string& name) {
        if (!made_here.insert(name).second) lexer_.fail("%" + name + " is made twice");
        names.push_back(name);
        return -1;
      });
      statement.expression = emitted(0);
      for (size_t i = 0; i < names.size(); ++i) statement.outputs[i] = emitted_slot(names[i]);
      rule_.emit.push_back(std::move(statement));
    } while (lexer_.at("%"));
    if (rule_.replaced.empty()) lexer_.fail("emit replaces no value of match");
  }

  /// A name that match defines by a statement is replaced; any other is new, and known from here on.
  int emitted_slot(const std::string& name) {
    const auto known = variables_.find(name);
    if (known == variables_.end()) return variable(name);
    if (rule_.definition_of[static_cast<size_t>(known->second)] < 0)
      lexer_.fail("%" + name + " is an input of the match");
    rule_.replaced.push_back(known->second);
    return known->second;
  }

  Emitted emitted(int depth) {
    if (depth > 64) lexer_.fail("expressions are nested too deeply");
    Emitted made;
    if (lexer_.accept("_")) return made;
    if (lexer_.at("%")) {
      made.slot = bound_variable();
      return made;
    }
    if (lexer_.peek().kind == TokenKind::word && ops::op_lookup().find(lexer_.peek().text)) {
      made.kind = Emitted::Kind::op;
      made.op = op();
      lexer_.expect("(");
      list(")", [&] { made.inputs.push_back(emitted(depth + 1)); });
      check_inputs(*made.op, made.inputs.size());
      made.attributes = braces(*made.op, [&](const std::string& name) { return bound_capture(name); });
      return made;
    }
    made.kind = Emitted::Kind::constant;
    made.constant = term();
    return made;
  }

  // --- test ---
  void test() {
    Test made;
    comma_separated([&] {
      if (lexer_.accept("$")) {
        TestCapture captured;
        captured.slot = bound_capture(lexer_.expect_name());
        lexer_.expect("=");
        if (lexer_.accept("{")) {
          list("}", [&] {
            const std::string name = lexer_.expect_word();
            lexer_.expect("=");
            captured.attributes.emplace_back(name, ir::read_attribute(lexer_));
          });
        } else {
          captured.value = ir::read_attribute(lexer_);
        }
        made.captures.push_back(std::move(captured));
        return;
      }
      TestValue value;
      value.is_constant = lexer_.at("@");
      if (!lexer_.accept("@")) lexer_.expect("%");
      value.slot = bound_slot(lexer_.expect_name());
      lexer_.expect(":");
      value.type = ir::read_type(lexer_);
      if (lexer_.accept(">")) {
        if (ir::read_number(lexer_) != 0) lexer_.fail("expected '> 0'");
        value.is_positive = true;
      }
      if (lexer_.accept("=")) {
        lexer_.expect("{");
        list("}", [&] { value.elements.push_back(ir::read_number(lexer_)); });
      }
      made.values.push_back(std::move(value));
    });
    rule_.tests.push_back(std::move(made));
  }

  // --- names ---
  int variable(const std::string& name) {
    const auto [entry, fresh] = variables_.emplace(name, static_cast<int>(variables_.size()));
    if (fresh) {
      rule_.variables.push_back(name);
      rule_.is_variadic.push_back(false);
      rule_.definition_of.push_back(-1);
    }
    return entry->second;
  }
  int bound_variable() {
    lexer_.expect("%");
    return bound_slot(lexer_.expect_name());
  }
  int bound_slot(const std::string& name) const {
    const auto found = variables_.find(name);
    if (found == variables_.end()) lexer_.fail("nothing is called %" + name);
    return found->second;
  }
  int capture(const std::string& name) {
    const auto [entry, fresh] = captures_.emplace(name, static_cast<int>(captures_.size()));
    if (fresh) rule_.captures.push_back(name);
    return entry->second;
  }
  int bound_capture(const std::string& name) const {
    const auto found = captures_.find(name);
    if (found == captures_.end()) lexer_.fail("nothing is captured as $" + name);
    return found->second;
  }

  template <class Element>
  void list(std::string_view close, Element&& element) {
    for (bool first = true; !lexer_.accept(close); first = false) {
      if (!first) lexer_.expect(",");
      element();
    }
  }
  template <class Element>
  void comma_separated(Element&& element) {
    do element();
    while (lexer_.accept(","));
  }

  Lexer lexer_;
  const Vocabulary& vocabulary_;
  Rule rule_;
  std::map<std::string, int, std::less<>> variables_, captures_;
};

}  // namespace

std::vector<Rule> parse_rules(std::string_view file, std::string_view text, const Vocabulary& vocabulary) {
  return with_context([&] { return std::string(file); },
                      [&] { return RuleParser(text, vocabulary).parse(); });
}

}  // namespace burnish::rewrite
