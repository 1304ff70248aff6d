#include "ir/read.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace burnish::ir {

double read_number(Lexer& lexer) {
  const bool negative = lexer.accept("-");
  const Token token = lexer.peek();
  double value = 0;
  if (token.text == "inf") {
    value = std::numeric_limits<double>::infinity();
  } else if (token.text == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    const char* last = token.text.data() + token.text.size();
    const auto [end, error] = std::from_chars(token.text.data(), last, value);
    if (token.kind != TokenKind::number || error != std::errc() || end != last)
      lexer.fail("expected a number, found '" + token.text + "'");
  }
  lexer.take();
  return negative ? -value : value;
}

namespace {

/// "/128" behind a layout: more than the channels, which are a number then.
int64_t read_pitch(Lexer& lexer, const TensorType& type) {
  const double pitch = read_number(lexer);
  constexpr double most = 1 << 30;
  const bool fits = type.layout == Layout::nhwc && type.rank() >= 3 && type.shape[1].is_constant() &&
                    pitch == std::trunc(pitch) && pitch > static_cast<double>(type.shape[1].constant()) &&
                    pitch <= most;
  if (!fits) lexer.fail("a pitch is for channels last, and a number greater than theirs");
  return static_cast<int64_t>(pitch);
}

}  // namespace

TensorType read_type(Lexer& lexer) {
  TensorType parsed;
  const auto dtype = lexer.peek().kind == TokenKind::word ? parse_dtype(lexer.peek().text) : std::nullopt;
  if (!dtype) lexer.fail("'" + lexer.peek().text + "' is no element type");
  lexer.take();
  parsed.dtype = *dtype;
  lexer.expect("[");
  while (!lexer.accept("]")) {
    if (!parsed.shape.empty()) lexer.expect(",");
    if (parsed.shape.size() >= 64) lexer.fail("a type has more than 64 dimensions");
    parsed.shape.push_back(Dim::parse(lexer.take_until(",]")));
  }
  if (lexer.peek().kind == TokenKind::word) {
    if (const auto layout = parse_layout(lexer.peek().text)) {
      lexer.take();
      parsed.layout = *layout;
      if (lexer.accept("/")) parsed.pitch = read_pitch(lexer, parsed);
    }
  }
  return parsed;
}

namespace {

/// Elements of a list are all integers, or all numbers.
AttributeValue read_list(Lexer& lexer) {
  std::vector<double> numbers;
  std::vector<std::string> texts;
  bool integers = true;
  lexer.expect("[");
  while (!lexer.accept("]")) {
    if (!numbers.empty() || !texts.empty()) lexer.expect(",");
    if (lexer.peek().kind == TokenKind::text) {
      texts.push_back(lexer.take().text);
      continue;
    }
    const double number = read_number(lexer);
    integers = integers && std::abs(number) < 1e15 && number == std::trunc(number);
    numbers.push_back(number);
  }
  if (!texts.empty()) {
    if (!numbers.empty()) lexer.fail("a list holds strings and numbers");
    return texts;
  }
  if (integers) return std::vector<int64_t>(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

AttributeValue read_attribute(Lexer& lexer) {
  const Token& token = lexer.peek();
  if (lexer.at("[")) return read_list(lexer);
  if (token.kind == TokenKind::text) return lexer.take().text;
  if (token.kind == TokenKind::word && token.text != "inf" && token.text != "nan") {
    const std::string word = lexer.take().text;
    if (word == "true" || word == "false") return word == "true";
    return word;
  }
  // The sign is a token of its own.
  const bool negative = lexer.accept("-");
  const std::string digits = lexer.peek().text;
  const double number = read_number(lexer) * (negative ? -1 : 1);
  const bool integer = !digits.empty() && std::all_of(digits.begin(), digits.end(),
                                                      [](unsigned char c) { return std::isdigit(c); });
  if (integer && std::abs(number) < 1e15) return static_cast<int64_t>(number);
  return number;
}

}  // namespace burnish::ir
