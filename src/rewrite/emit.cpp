#include "rewrite/emit.h"

#include <algorithm>

#include "base/dispatch.h"
#include "rewrite/shapes.h"

namespace burnish::rewrite {
namespace {

class Emitter {
 public:
  Emitter(const Match& match, ir::NodeId root, std::string& why_not)
      : match_(match), why_not_(why_not), made_(match.rule().variables.size()) {
    patch_.reason = match.rule().name;
    patch_.root = root;
    patch_.matched = match.nodes();
    for (int slot : match.rule().shared)
      if (match.value(slot)) patch_.shared.push_back(match.value(slot));
  }

  std::optional<ir::Patch> run() {
    for (const EmitStatement& statement : match_.rule().emit) {
      const ir::Patch::Source source = emit(statement.expression, static_cast<int>(statement.outputs.size()));
      for (size_t i = 0; i < statement.outputs.size(); ++i) {
        const int slot = statement.outputs[i];
        if (slot < 0) continue;
        ir::Patch::Source output = source;
        if (auto* made = std::get_if<ir::Patch::Made>(&output)) made->output = static_cast<int>(i);
        if (match_.value(slot)) patch_.replacements.emplace_back(match_.value(slot), output);
        made_[static_cast<size_t>(slot)] = output;
      }
    }
    if (!why_not_.empty()) return std::nullopt;
    return std::move(patch_);
  }

 private:
  ir::Patch::Source emit(const Emitted& expression, int outputs) {
    switch (expression.kind) {
      case Emitted::Kind::variable: {
        if (expression.slot < 0) return ir::ValueId{};
        const auto& made = made_[static_cast<size_t>(expression.slot)];
        return made ? *made : ir::Patch::Source(match_.value(expression.slot));
      }
      case Emitted::Kind::constant:
        return constant(match_.evaluate(expression.constant).literal);
      case Emitted::Kind::op:
        break;
    }
    ir::Patch::NewNode node;
    node.op = expression.op;
    node.outputs = outputs;
    node.attributes = attributes(expression);
    for (const Emitted& input : expression.inputs) {
      if (input.kind == Emitted::Kind::variable && input.slot >= 0 &&
          match_.rule().is_variadic[static_cast<size_t>(input.slot)]) {
        for (ir::ValueId value : match_.list(input.slot)) node.inputs.emplace_back(value);
      } else {
        node.inputs.push_back(emit(input, 1));
      }
    }
    const auto omitted = [](const ir::Patch::Source& source) {
      const auto* value = std::get_if<ir::ValueId>(&source);
      return value && !*value;
    };
    while (!node.inputs.empty() && omitted(node.inputs.back())) node.inputs.pop_back();
    patch_.nodes.push_back(std::move(node));
    return ir::Patch::Made{static_cast<int>(patch_.nodes.size()) - 1, 0};
  }

  ir::Attributes attributes(const Emitted& expression) {
    ir::Attributes made = expression.op->default_attributes;
    if (expression.attributes.all >= 0) {
      // The captured attributes may be another op's: those of the same names are taken over.
      const auto& all = std::get<ir::Attributes>(match_.capture(expression.attributes.all));
      for (const auto& [name, value] : ir::list_attributes(all))
        if (ir::get_attribute(made, name)) ir::set_attribute(made, name, value);
    }
    for (const auto& [name, term] : expression.attributes.named) {
      const ir::AttributeValue value = match_.evaluate(term).literal;
      if (!std::holds_alternative<std::monostate>(value)) ir::set_attribute(made, name, value);
    }
    return made;
  }

  /// Numbers take the element type of the rule's root; integers in lists are 64 bits wide, as shapes are.
  ir::Patch::Source constant(const ir::AttributeValue& value) {
    const DType dtype = match_.type(match_.value(match_.rule().replaced.back())).dtype;
    if (const auto* dims = std::get_if<std::vector<ir::Dim>>(&value))
      return add_dims(match_.graph(), patch_, *dims, why_not_).value_or(ir::ValueId{});
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&value))
      return add_constant(Tensor::of<int64_t>({static_cast<int64_t>(integers->size())}, *integers));
    if (const auto* numbers = std::get_if<std::vector<double>>(&value))
      return filled(dtype, {static_cast<int64_t>(numbers->size())}, *numbers);
    double number = 0;
    if (const auto* real = std::get_if<double>(&value))
      number = *real;
    else if (const auto* integer = std::get_if<int64_t>(&value))
      number = static_cast<double>(*integer);
    else if (const auto* flag = std::get_if<bool>(&value))
      number = *flag ? 1 : 0;
    else
      fail("internal: rule '{}' cannot make a constant of {}", match_.rule().name, ir::attribute_text(value));
    return filled(dtype, {}, {number});
  }

  ir::Patch::Source filled(DType dtype, Shape shape, const std::vector<double>& numbers) {
    Tensor tensor(dtype, std::move(shape));
    dispatch(NumberAndBoolTypes{}, dtype, [&]<class T>(Type<T>) {
      std::transform(numbers.begin(), numbers.end(), tensor.data<T>(),
                     [](double number) { return static_cast<T>(number); });
    });
    return add_constant(std::move(tensor));
  }

  ir::Patch::Source add_constant(Tensor tensor) {
    patch_.constants.push_back(std::move(tensor));
    return ir::Patch::NewConstant{static_cast<int>(patch_.constants.size()) - 1};
  }

  const Match& match_;
  std::string& why_not_;
  ir::Patch patch_;
  std::vector<std::optional<ir::Patch::Source>> made_;  // by slot
};

}  // namespace

std::optional<ir::Patch> make_patch(const Match& match, ir::NodeId root, std::string& why_not) {
  return Emitter(match, root, why_not).run();
}

}  // namespace burnish::rewrite
