// Tokens of the IR's text and of the rule language, with line and column for messages.
#pragma once

#include <string>
#include <string_view>

namespace burnish::ir {

enum class TokenKind { word, number, text, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  ///< the word, the number's digits, the unescaped string, or the one-character symbol
  size_t offset = 0;
};

/// Splits text into words ([A-Za-z_][A-Za-z0-9_.]*), numbers, "strings" and one-character symbols.
/// '#' starts a comment that ends with the line. Every method throws Error with the place on bad text.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { advance(); }

  const Token& peek() const { return current_; }
  Token take();
  bool at(std::string_view text) const {
    return (current_.kind == TokenKind::word || current_.kind == TokenKind::symbol) && current_.text == text;
  }
  bool at_end() const { return current_.kind == TokenKind::end; }
  bool accept(std::string_view text);
  void expect(std::string_view text);
  std::string expect_word();
  /// A word, number or string right after a sigil (no space): the name of a value.
  std::string expect_name();
  /// The raw text up to one of `stops` outside parentheses, trimmed: a dimension.
  std::string take_until(std::string_view stops);
  [[noreturn]] void fail(const std::string& message) const;

 private:
  void advance();

  std::string_view text_;
  size_t at_ = 0;
  Token current_;
};

}  // namespace burnish::ir
