#include "device/problem.h"

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "ir/agreement.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::device {
namespace {

/// Host operands and scalars of up to this many elements stand in the problem's text.
constexpr int64_t largest_literal = 16;

/// One line: runs of white space become one space.
std::string one_line(const std::string& text) {
  std::string line;
  for (char c : text) {
    const bool space = c == ' ' || c == '\n';
    if (space && (line.empty() || line.back() == ' ')) continue;
    line += space ? ' ' : c;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool wants_host(const ops::OpDef& op, size_t input) {
  if (op.inputs.empty()) return false;
  return op.inputs[std::min(input, op.inputs.size() - 1)].host;
}

/// True if any use of the body's value is a host operand.
bool used_on_host(const ir::Graph& graph, ir::ValueId value) {
  return std::any_of(graph.value(value).uses.begin(), graph.value(value).uses.end(), [&](const ir::Use& use) {
    return wants_host(ops::definition(graph.node(use.node)), static_cast<size_t>(use.input));
  });
}

/// Keeps the ranges of those symbols that the body's types name.
void set_symbols(ir::Graph& body, const ir::Graph& graph) {
  std::set<std::string> used;
  for (size_t i = 0; i < body.value_capacity(); ++i)
    for (const ir::Dim& dim : body.value({static_cast<int32_t>(i)}).type.shape) dim.collect_symbols(used);
  for (const std::string& symbol : used) {
    const auto found = graph.symbols.find(symbol);
    body.symbols[symbol] = found == graph.symbols.end() ? ir::SymbolRange{} : found->second;
  }
}

/// A graph of the op alone, with the node's own inputs as its inputs.
std::shared_ptr<ir::Graph> body_of_single(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  auto body = std::make_shared<ir::Graph>("problem");
  std::vector<ir::ValueId> inputs;
  std::map<ir::ValueId, ir::ValueId> made;
  for (ir::ValueId input : node.inputs) {
    if (input && !made.contains(input)) made[input] = body->add_input("", graph.value(input).type);
    inputs.push_back(input ? made[input] : ir::ValueId{});
  }
  const ir::NodeId copy = body->add_node(*node.op, node.attributes, inputs, static_cast<int>(node.outputs.size()));
  body->node(copy).bodies = node.bodies;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    body->value(body->node(copy).outputs[i]).type = graph.value(node.outputs[i]).type;
    body->outputs.push_back({"", body->node(copy).outputs[i]});
  }
  return body;
}

/// The node inputs that the body's inputs stand for: each distinct value once for a single op.
std::vector<int> inputs_of(const ir::Node& node, bool region) {
  std::vector<int> indices;
  std::set<ir::ValueId> seen;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (region || (node.inputs[i] && seen.insert(node.inputs[i]).second)) indices.push_back(static_cast<int>(i));
  return indices;
}

}  // namespace

struct Problem::Text {
  std::once_flag written;
  std::string text;
};

Problem::Problem(std::shared_ptr<ir::Graph> body) : body_(body), nodes_(body->order()), text_(std::make_shared<Text>()) {}

const std::string& Problem::text() const {
  std::call_once(text_->written, [&] { text_->text = one_line(ir::print(*body_)); });
  return text_->text;
}

Problem Problem::of(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  const bool region = node.op == &ops::def::region;
  std::shared_ptr<ir::Graph> source = region ? node.bodies[0]->clone() : body_of_single(graph, id);
  std::vector<int> node_inputs = inputs_of(node, region);

  // Build the canonical copy: inputs renamed by kind, known scalars and host operands as literals.
  auto body = std::make_shared<ir::Graph>("problem");
  std::map<ir::ValueId, ir::ValueId> copied;
  std::vector<int> kept;
  for (size_t i = 0; i < source->inputs().size(); ++i) {
    const ir::ValueId inner = source->inputs()[i];
    const ir::Value& outer = graph.value(node.inputs[static_cast<size_t>(node_inputs[i])]);
    const bool small = outer.is_constant() && outer.constant.raw() &&
                       (outer.constant.size() == 1 || (outer.constant.size() <= largest_literal && used_on_host(*source, inner)));
    if (small) {
      copied[inner] = body->add_constant("c" + std::to_string(i), outer.constant);
      continue;
    }
    // Weights lie in plain layout; an activation has the layout of the value that comes in.
    copied[inner] = body->add_input((outer.constant_only ? "w" : "x") + std::to_string(kept.size()), outer.type);
    kept.push_back(node_inputs[i]);
  }
  for (ir::ValueId constant : source->constants())
    copied[constant] = body->add_constant("c." + std::to_string(constant.index), source->value(constant).constant);
  int made = 0;
  for (ir::NodeId inner : source->order()) {
    const ir::Node& from = source->node(inner);
    std::vector<ir::ValueId> inputs;
    for (ir::ValueId input : from.inputs) inputs.push_back(input ? copied.at(input) : ir::ValueId{});
    std::vector<std::string> names;
    for (size_t i = 0; i < from.outputs.size(); ++i) names.push_back("v" + std::to_string(made++));
    const ir::NodeId copy = body->add_node(*from.op, from.attributes, inputs, static_cast<int>(from.outputs.size()), names);
    body->node(copy).bodies = from.bodies;
    for (size_t i = 0; i < from.outputs.size(); ++i) {
      copied[from.outputs[i]] = body->node(copy).outputs[i];
      body->value(body->node(copy).outputs[i]).type = source->value(from.outputs[i]).type;
    }
  }
  for (size_t i = 0; i < source->outputs.size(); ++i) {
    const ir::ValueId output = copied.at(source->outputs[i].value);
    body->outputs.push_back({"", output});
    if (!body->value(output).producer) continue;
    body->value(output).type.layout = graph.value(node.outputs[i]).type.layout;
    body->value(output).type.pitch = graph.value(node.outputs[i]).type.pitch;
  }
  set_symbols(*body, graph);
  Problem problem(std::move(body));
  problem.node_inputs_ = std::move(kept);
  return problem;
}

Problem Problem::parse(std::string_view text) {
  std::shared_ptr<ir::Graph> body = with_context([] { return "problem"; }, [&] { return ir::parse(text, ops::op_lookup()); });
  for (ir::ValueId input : body->inputs()) {
    const char kind = body->value(input).name[0];
    require(kind == 'x' || kind == 'w', "problem: input '{}' must be called x0, x1, ... (activation) or w0, w1, ... (weight)", body->value(input).name);
  }
  Problem problem(std::move(body));
  for (int i = 0; i < problem.input_count(); ++i) problem.node_inputs_.push_back(i);
  return problem;
}

bool Problem::is_weight(int i) const { return body_->value(body_->inputs()[static_cast<size_t>(i)]).name[0] == 'w'; }

bool Problem::has_pitch() const {
  for (int i = 0; i < input_count(); ++i)
    if (input(i).pitch) return true;
  for (int i = 0; i < output_count(); ++i)
    if (output(i).pitch) return true;
  return false;
}

const ir::Node* Problem::single(const ops::OpDef& op) const {
  return nodes_.size() == 1 && body_->node(nodes_[0]).op == &op ? &body_->node(nodes_[0]) : nullptr;
}

int Problem::input_index(ir::ValueId value) const {
  const auto& inputs = body_->inputs();
  const auto found = std::find(inputs.begin(), inputs.end(), value);
  return found == inputs.end() ? -1 : static_cast<int>(found - inputs.begin());
}

Problem Problem::with_layouts(const std::vector<ir::Layout>& layouts) const {
  std::shared_ptr<ir::Graph> body = body_->clone();
  const size_t inputs = body->inputs().size();
  require(layouts.size() == inputs + body->outputs.size(), "internal: a problem needs one layout per input and output");
  const auto set = [&](ir::ValueId value, ir::Layout layout) {
    body->value(value).type.layout = layout;
    body->value(value).type.pitch = 0;
  };
  for (size_t i = 0; i < inputs; ++i) set(body->inputs()[i], layouts[i]);
  for (size_t i = 0; i < body->outputs.size(); ++i) set(body->outputs[i].value, layouts[inputs + i]);
  Problem problem(std::move(body));
  problem.node_inputs_ = node_inputs_;
  return problem;
}

Problem Problem::at_opt() const {
  ir::Bindings bindings;
  std::set<std::string> guessed;  // sizes that depend on data have no range
  for (const auto& [symbol, range] : body_->symbols) {
    bindings[symbol] = range.opt;
    if (range.max < 0) guessed.insert(symbol);
  }
  if (!guessed.empty()) {
    std::vector<ir::Dim> dims;
    for (size_t i = 0; i < body_->value_capacity(); ++i) {
      const auto& shape = body_->value({static_cast<int32_t>(i)}).type.shape;
      dims.insert(dims.end(), shape.begin(), shape.end());
    }
    ir::make_agree(dims, guessed, bindings);
  }
  return at(bindings);
}

Problem Problem::at(const ir::Bindings& bindings) const {
  if (is_static()) return *this;
  std::shared_ptr<ir::Graph> body = body_->clone();
  for (size_t i = 0; i < body->value_capacity(); ++i)
    for (ir::Dim& dim : body->value({static_cast<int32_t>(i)}).type.shape) dim = dim.evaluate(bindings);
  body->symbols.clear();
  Problem problem(std::move(body));
  problem.node_inputs_ = node_inputs_;
  return problem;
}

}  // namespace burnish::device
