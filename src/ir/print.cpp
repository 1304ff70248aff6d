#include <fmt/format.h>

#include <cctype>

#include "base/dispatch.h"
#include "ir/graph.h"

namespace burnish::ir {
namespace {

/// Constants of up to this many elements are printed where they are used or declared with their data.
constexpr int64_t largest_literal = 16;

bool plain_name(std::string_view name) {
  if (name.empty()) return false;
  for (char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.') return false;
  return true;
}

std::string name_text(char sigil, std::string_view name) {
  return sigil + (plain_name(name) ? std::string(name) : quoted(name));
}

std::string elements_text(const Tensor& tensor) {
  std::string text;
  dispatch(AllTypes{}, tensor.dtype(), [&]<class T>(Type<T>) {
    const T* data = tensor.data<T>();
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if (i) text += ", ";
      if constexpr (std::is_same_v<T, bool>) text += data[i] ? "true" : "false";
      else if constexpr (std::is_integral_v<T>) text += std::to_string(data[i]);
      else if constexpr (std::is_same_v<T, Int4> || std::is_same_v<T, UInt4>) text += std::to_string(static_cast<int>(data[i]));
      else if constexpr (std::is_same_v<T, float>) {
        // The shortest text of the float, not of the double that it widens to.
        std::string number = fmt::format("{}", data[i]);
        if (number.find_first_of(".en") == std::string::npos) number += ".0";
        text += number;
      } else text += number_text(static_cast<double>(data[i]));
    }
  });
  return text;
}

std::string value_text(const Graph& graph, ValueId id) {
  if (!id) return "_";
  const Value& value = graph.value(id);
  return name_text(value.is_constant() ? '@' : '%', value.name);
}

void print_body(const Graph& graph, const std::string& indent, std::string& text);

std::string node_text(const Graph& graph, NodeId id, const std::string& indent) {
  const Node& node = graph.node(id);
  std::string text, types;
  for (ValueId output : node.outputs) {
    text += (text.empty() ? "" : ", ") + value_text(graph, output);
    types += (types.empty() ? "" : ", ") + (output ? graph.value(output).type.str() : std::string("_"));
  }
  std::string inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) inputs += (i ? ", " : "") + value_text(graph, node.inputs[i]);
  text += fmt::format(" = {}({})", node.op ? node.op->name : "?", inputs);
  const std::string attributes = node.attributes.str();
  if (!attributes.empty()) text += " " + attributes;
  for (const auto& body : node.bodies) {
    text += " body ";
    print_body(*body, indent, text);
  }
  text += " : " + types;
  if (!node.source.empty()) text += " from " + quoted(node.source);
  return text;
}

void print_body(const Graph& graph, const std::string& indent, std::string& text) {
  const std::string inner = indent + "  ";
  text += "(";
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value& input = graph.value(graph.inputs()[i]);
    text += (i ? ", " : "") + name_text('%', input.name) + ": " + input.type.str();
  }
  text += ") {\n";
  for (const auto& [name, range] : graph.symbols)
    text += fmt::format("{}symbol {} {} {} {}\n", inner, name, range.min, range.opt, range.max);
  for (ValueId id : graph.constants()) {
    const Value& constant = graph.value(id);
    text += fmt::format("{}constant {}: {}", inner, name_text('@', constant.name), constant.type.str());
    const std::string data = print_constant_data(graph, id);
    if (!data.empty()) text += " = " + data;
    text += "\n";
  }
  for (NodeId id : graph.order()) text += inner + node_text(graph, id, inner) + "\n";
  text += inner + "yield";
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    text += i ? ", " : " ";
    if (!graph.outputs[i].name.empty()) text += (plain_name(graph.outputs[i].name) ? graph.outputs[i].name : quoted(graph.outputs[i].name)) + "=";
    text += value_text(graph, graph.outputs[i].value);
  }
  text += "\n" + indent + "}";
}

}  // namespace

std::string print_constant_data(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.constant.size() > largest_literal || !value.constant.raw() || value.type.layout != Layout::plain) return {};
  return "{" + elements_text(value.constant) + "}";
}

std::string print(const Graph& graph) {
  std::string text = "graph " + (plain_name(graph.name) ? graph.name : quoted(graph.name));
  print_body(graph, "", text);
  return text + "\n";
}

std::string print_node(const Graph& graph, NodeId node) { return node_text(graph, node, ""); }

}  // namespace burnish::ir
