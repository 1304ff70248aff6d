#include <charconv>

#include "base/dispatch.h"
#include "ir/graph.h"
#include "ir/lexer.h"
#include "ir/read.h"

namespace burnish::ir {
namespace {

template <class T>
T parse_integer(Lexer& lexer) {
  std::string text = lexer.accept("-") ? "-" : "";
  const Token token = lexer.take();
  text += token.text;
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (token.kind != TokenKind::number || error != std::errc() || end != text.data() + text.size())
    lexer.fail("expected an integer, found '" + text + "'");
  return value;
}

/// Fills the one attribute whose name the text gave.
class AttributeParser : public AttributeVisitor {
 public:
  AttributeParser(Lexer& lexer, std::string name) : lexer_(lexer), name_(std::move(name)) {}
  bool found = false;

  void operator()(std::string_view name, int64_t& value) override { if (mine(name)) value = parse_integer<int64_t>(lexer_); }
  void operator()(std::string_view name, double& value) override { if (mine(name)) value = read_number(lexer_); }
  void operator()(std::string_view name, bool& value) override { if (mine(name)) value = boolean(); }
  void operator()(std::string_view name, std::string& value) override { if (mine(name)) value = string(); }
  void operator()(std::string_view name, DType& value) override {
    if (!mine(name)) return;
    const std::string word = lexer_.peek().kind == TokenKind::text ? lexer_.take().text : lexer_.expect_word();
    const auto dtype = parse_dtype(word);
    if (!dtype) lexer_.fail("'" + word + "' is no element type");
    value = *dtype;
  }
  void operator()(std::string_view name, std::vector<int64_t>& value) override {
    if (mine(name)) list(value, [&] { return parse_integer<int64_t>(lexer_); });
  }
  void operator()(std::string_view name, std::vector<double>& value) override {
    if (mine(name)) list(value, [&] { return read_number(lexer_); });
  }
  void operator()(std::string_view name, std::vector<std::string>& value) override {
    if (mine(name)) list(value, [&] { return string(); });
  }

 private:
  bool mine(std::string_view name) {
    if (name != name_) return false;
    found = true;
    return true;
  }
  bool boolean() {
    const std::string word = lexer_.expect_word();
    if (word != "true" && word != "false") lexer_.fail("expected true or false, found '" + word + "'");
    return word == "true";
  }
  std::string string() {
    if (lexer_.peek().kind != TokenKind::text) lexer_.fail("expected a string in quotes");
    return lexer_.take().text;
  }
  template <class T, class Element>
  void list(std::vector<T>& value, Element&& element) {
    value.clear();
    lexer_.expect("[");
    while (!lexer_.accept("]")) {
      if (!value.empty()) lexer_.expect(",");
      value.push_back(element());
    }
  }

  Lexer& lexer_;
  std::string name_;
};

class Parser {
 public:
  Parser(std::string_view text, const OpLookup& ops, const ConstantSource& constants)
      : lexer_(text), ops_(ops), constants_(constants) {}

  std::shared_ptr<Graph> parse() {
    lexer_.expect("graph");
    const std::string name = lexer_.expect_name();
    auto graph = body(name);
    if (!lexer_.at_end()) lexer_.fail("expected the end of the text");
    return graph;
  }

 private:
  std::shared_ptr<Graph> body(const std::string& name) {
    if (++depth_ > 64) lexer_.fail("bodies are nested too deeply");
    auto graph = std::make_shared<Graph>(name);
    lexer_.expect("(");
    while (!lexer_.accept(")")) {
      if (!graph->inputs().empty()) lexer_.expect(",");
      lexer_.expect("%");
      const std::string input = lexer_.expect_name();
      unused(*graph, input);
      lexer_.expect(":");
      graph->add_input(input, read_type(lexer_));
    }
    lexer_.expect("{");
    while (!lexer_.accept("yield")) {
      if (lexer_.at_end()) lexer_.fail("expected 'yield' before the end");
      if (lexer_.accept("symbol")) symbol(*graph);
      else if (lexer_.accept("constant")) constant(*graph);
      else node(*graph);
    }
    if (!lexer_.accept("}")) {
      do {
        std::string output;
        if (!lexer_.at("%") && !lexer_.at("@")) {
          output = lexer_.expect_name();
          lexer_.expect("=");
        }
        graph->outputs.push_back({output, value(*graph)});
      } while (lexer_.accept(","));
      lexer_.expect("}");
    }
    --depth_;
    return graph;
  }

  void unused(const Graph& graph, const std::string& name) {
    if (graph.find_value(name)) lexer_.fail("'" + name + "' is there already");
  }

  void symbol(Graph& graph) {
    const std::string name = lexer_.expect_word();
    SymbolRange range;
    range.min = parse_integer<int64_t>(lexer_);
    range.opt = parse_integer<int64_t>(lexer_);
    range.max = parse_integer<int64_t>(lexer_);
    graph.symbols[name] = range;
  }

  void constant(Graph& graph) {
    lexer_.expect("@");
    const std::string name = lexer_.expect_name();
    unused(graph, name);
    lexer_.expect(":");
    const TensorType declared = read_type(lexer_);
    const auto shape = constants(declared.shape);
    if (!shape) lexer_.fail("constant '" + name + "' must have a shape of numbers");
    Tensor data;
    if (lexer_.accept("=")) {
      if (element_count(*shape) > 4096) lexer_.fail("constant '" + name + "' is too large to be written out");
      data = Tensor(declared.dtype, *shape);
      lexer_.expect("{");
      dispatch(AllTypes{}, declared.dtype, [&]<class T>(Type<T>) { elements(data.data<T>(), data.size()); });
      lexer_.expect("}");
    } else {
      if (constants_) data = constants_(name, declared);
      if (data.empty()) data = Tensor::view(declared.dtype, *shape, nullptr);
    }
    const ValueId id = graph.add_constant(name, std::move(data));
    graph.value(id).type = declared;
  }

  template <class T>
  void elements(T* data, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (i) lexer_.expect(",");
      if constexpr (std::is_same_v<T, bool>) {
        const std::string word = lexer_.expect_word();
        if (word != "true" && word != "false") lexer_.fail("expected true or false");
        data[i] = word == "true";
      } else if constexpr (std::is_integral_v<T>) {
        data[i] = parse_integer<T>(lexer_);
      } else if constexpr (std::is_same_v<T, Int4> || std::is_same_v<T, UInt4>) {
        data[i] = T(parse_integer<int>(lexer_));
      } else {
        data[i] = static_cast<T>(read_number(lexer_));
      }
    }
  }

  ValueId value(Graph& graph) {
    if (!lexer_.accept("%")) lexer_.expect("@");
    const std::string name = lexer_.expect_name();
    const ValueId id = graph.find_value(name);
    if (!id) lexer_.fail("nothing is called '" + name + "' before this");
    return id;
  }

  void node(Graph& graph) {
    std::vector<std::string> names;
    do {
      if (lexer_.accept("_")) {
        names.emplace_back();
        continue;
      }
      lexer_.expect("%");
      names.push_back(lexer_.expect_name());
      unused(graph, names.back());
    } while (lexer_.accept(","));
    lexer_.expect("=");
    const std::string op_name = lexer_.expect_word();
    const Op* op = ops_.find(op_name);
    if (!op) lexer_.fail("unknown op '" + op_name + "'");
    std::vector<ValueId> inputs;
    lexer_.expect("(");
    while (!lexer_.accept(")")) {
      if (!inputs.empty()) lexer_.expect(",");
      inputs.push_back(lexer_.accept("_") ? ValueId{} : value(graph));
    }
    Attributes attributes = op->default_attributes;
    if (lexer_.accept("{")) {
      while (!lexer_.accept("}")) {
        AttributeParser parser(lexer_, lexer_.expect_word());
        lexer_.expect("=");
        attributes.visit(parser);
        if (!parser.found) lexer_.fail("op '" + op_name + "' has no such attribute");
        if (!lexer_.at("}")) lexer_.expect(",");
      }
    }
    std::vector<std::shared_ptr<Graph>> bodies;
    while (lexer_.accept("body")) bodies.push_back(body("body"));
    if (static_cast<int>(bodies.size()) != op->bodies) lexer_.fail("op '" + op_name + "' takes another number of bodies");
    const NodeId id = graph.add_node(*op, std::move(attributes), std::move(inputs), static_cast<int>(names.size()), names);
    graph.node(id).bodies = std::move(bodies);
    lexer_.expect(":");
    for (size_t i = 0; i < names.size(); ++i) {
      if (i) lexer_.expect(",");
      if (lexer_.accept("_")) continue;
      graph.value(graph.node(id).outputs[i]).type = read_type(lexer_);
    }
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i].empty()) graph.node(id).outputs[i] = {};
    if (lexer_.accept("from")) graph.node(id).source = lexer_.expect_name();
  }

  Lexer lexer_;
  const OpLookup& ops_;
  const ConstantSource& constants_;
  int depth_ = 0;
};

}  // namespace

std::shared_ptr<Graph> parse(std::string_view text, const OpLookup& ops, const ConstantSource& constants) {
  return Parser(text, ops, constants).parse();
}

}  // namespace burnish::ir
