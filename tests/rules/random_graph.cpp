#include "random_graph.h"

#include <cmath>

#include "base/dispatch.h"
#include "ops/infer.h"

namespace burnish::testing {
namespace {

using rewrite::Pattern;
using rewrite::Rule;
using rewrite::Term;
using rewrite::Test;
using rewrite::TestValue;

class Builder {
 public:
  Builder(const Rule& rule, const Test& test, const ir::Bindings& sizes, bool symbolic, std::mt19937& random)
      : rule_(rule),
        test_(test),
        sizes_(sizes),
        symbolic_(symbolic),
        random_(random),
        graph_(std::make_shared<ir::Graph>(rule.name)),
        values_(rule.variables.size()) {}

  std::shared_ptr<ir::Graph> build() {
    if (symbolic_)
      for (const auto& [name, size] : sizes_) graph_->symbols[name] = {1, size, -1};
    for (const TestValue& value : test_.values)  // inputs in the order of the line
      if (!rule_.is_variadic[static_cast<size_t>(value.slot)])
        values_[static_cast<size_t>(value.slot)] = leaf(value);
    build_pattern(rule_.root());
    for (int slot : rule_.replaced)
      graph_->outputs.push_back(
          {rule_.variables[static_cast<size_t>(slot)], values_[static_cast<size_t>(slot)]});
    return graph_;
  }

 private:
  ir::ValueId leaf(const TestValue& value) {
    ir::TensorType type = value.type;
    const Shape shape = ir::evaluate(type.shape, sizes_);
    const std::string name = graph_->fresh_name(rule_.variables[static_cast<size_t>(value.slot)]);
    if (!value.is_constant) {
      if (!symbolic_) type.shape.assign(shape.begin(), shape.end());
      return graph_->add_input(name, type);
    }
    Tensor data = random_tensor(type.dtype, shape, value.is_positive, random_);
    if (!value.elements.empty()) {
      require(static_cast<int64_t>(value.elements.size()) == data.size(),
              "the test of rule '{}' gives {} elements for @{}", rule_.name, value.elements.size(), name);
      dispatch(AllTypes{}, type.dtype, [&]<class T>(Type<T>) {
        for (size_t i = 0; i < value.elements.size(); ++i)
          data.data<T>()[i] = static_cast<T>(static_cast<float>(value.elements[i]));
      });
    }
    return graph_->add_constant(name, std::move(data));
  }

  const TestValue* find(int slot) const {
    for (const TestValue& value : test_.values)
      if (value.slot == slot) return &value;
    return nullptr;
  }

  ir::ValueId build_pattern(const Pattern& pattern) {
    switch (pattern.kind) {
      case Pattern::Kind::variable:
        return build_variable(pattern);
      case Pattern::Kind::number:
        fail("a number needs another input beside it");
      case Pattern::Kind::alternatives:
        return build_pattern(pattern.parts[random_() % pattern.parts.size()]);
      case Pattern::Kind::op:
        return build_node(pattern);
    }
    return {};
  }

  ir::ValueId build_variable(const Pattern& pattern) {
    if (pattern.slot < 0) return {};
    ir::ValueId& known = values_[static_cast<size_t>(pattern.slot)];
    if (known) return known;
    const int definition = rule_.definition_of[static_cast<size_t>(pattern.slot)];
    if (definition >= 0) {
      const ir::ValueId made = build_pattern(rule_.definitions[static_cast<size_t>(definition)]);
      if (!known) known = made;  // an alternative that is a plain variable
      return known;
    }
    require(pattern.optional, "the test of rule '{}' says nothing of %{}", rule_.name,
            rule_.variables[static_cast<size_t>(pattern.slot)]);
    return {};
  }

  ir::ValueId build_node(const Pattern& pattern) {
    std::vector<ir::ValueId> inputs;
    std::optional<DType> dtype;
    for (const Pattern& part : pattern.parts) {
      if (part.variadic) {
        const TestValue* value = find(part.slot);
        require(value != nullptr, "the test of rule '{}' says nothing of a variadic input", rule_.name);
        for (int i = 0; i < 3; ++i) inputs.push_back(leaf(*value));
        continue;
      }
      inputs.push_back(part.kind == Pattern::Kind::number ? ir::ValueId{} : build_pattern(part));
      if (inputs.back() && !dtype) dtype = graph_->value(inputs.back()).type.dtype;
    }
    for (size_t i = 0; i < pattern.parts.size(); ++i)
      if (pattern.parts[i].kind == Pattern::Kind::number)
        inputs[i] = number(pattern.parts[i].number, dtype.value_or(DType::f32));
    if (pattern.commutative && random_() % 2) std::swap(inputs[0], inputs[1]);
    while (!inputs.empty() && !inputs.back()) inputs.pop_back();
    const int outputs = std::max<int>(1, static_cast<int>(pattern.outputs.size()));
    const ir::NodeId node = ops::add_node(*graph_, *pattern.op, attributes(pattern), std::move(inputs),
                                          outputs, pattern.op->name);
    const std::vector<ir::ValueId>& made = graph_->node(node).outputs;
    for (size_t i = 0; i < pattern.outputs.size(); ++i)
      if (pattern.outputs[i] >= 0) values_[static_cast<size_t>(pattern.outputs[i])] = made[i];
    return made[0];
  }

  ir::ValueId number(double number, DType dtype) {
    Tensor data(dtype, {});
    dispatch(NumberAndBoolTypes{}, dtype,
             [&]<class T>(Type<T>) { *data.data<T>() = static_cast<T>(number); });
    return graph_->add_constant(graph_->fresh_name("number"), std::move(data));
  }

  ir::Attributes attributes(const Pattern& pattern) const {
    ir::Attributes made = pattern.op->default_attributes;
    for (const rewrite::TestCapture& given : test_.captures)
      if (given.slot == pattern.attributes.all)
        for (const auto& [name, value] : given.attributes) ir::set_attribute(made, name, value);
    for (const auto& [name, term] : pattern.attributes.named) {
      if (term.kind != Term::Kind::capture) {
        ir::set_attribute(made, name, term.literal);
        continue;
      }
      for (const rewrite::TestCapture& given : test_.captures)
        if (given.slot == term.slot) ir::set_attribute(made, name, given.value);
    }
    return made;
  }

  const Rule& rule_;
  const Test& test_;
  const ir::Bindings& sizes_;
  const bool symbolic_;
  std::mt19937& random_;
  std::shared_ptr<ir::Graph> graph_;
  std::vector<ir::ValueId> values_;  // by slot
};

}  // namespace

std::shared_ptr<ir::Graph> graph_of(const Rule& rule, const Test& test, const ir::Bindings& sizes,
                                    bool symbolic, std::mt19937& random) {
  return Builder(rule, test, sizes, symbolic, random).build();
}

ir::Bindings random_sizes(const Test& test, std::mt19937& random) {
  std::set<std::string> symbols;
  for (const TestValue& value : test.values)
    for (const ir::Dim& dim : value.type.shape) dim.collect_symbols(symbols);
  ir::Bindings sizes;
  for (const std::string& symbol : symbols) sizes[symbol] = 1 + static_cast<int64_t>(random() % 7);
  return sizes;
}

}  // namespace burnish::testing
