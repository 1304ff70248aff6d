#include "ir/lexer.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace burnish::ir {
namespace {

bool word_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool word_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }
bool digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

}  // namespace

void Lexer::fail(const std::string& message) const {
  const size_t end = std::min(current_.offset, text_.size());
  const size_t line = 1 + static_cast<size_t>(std::count(text_.begin(), text_.begin() + static_cast<long>(end), '\n'));
  const size_t last = text_.substr(0, end).rfind('\n');
  burnish::fail("line {}, column {}: {}", line, end - (last == std::string_view::npos ? 0 : last + 1) + 1, message);
}

void Lexer::advance() {
  while (at_ < text_.size()) {
    if (std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    else if (text_[at_] == '#') while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    else break;
  }
  current_ = {TokenKind::end, "", at_};
  if (at_ >= text_.size()) return;
  const size_t start = at_;
  const char c = text_[at_];
  if (word_start(c)) {
    while (at_ < text_.size() && word_part(text_[at_])) ++at_;
    current_.kind = TokenKind::word;
  } else if (digit(c)) {
    while (at_ < text_.size() && (word_part(text_[at_]) || ((text_[at_] == '-' || text_[at_] == '+') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))) ++at_;
    current_.kind = TokenKind::number;
  } else if (c == '"') {
    current_.kind = TokenKind::text;
    for (++at_; ; ++at_) {
      if (at_ >= text_.size()) fail("a string is not closed");
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\') {
        current_.text += text_[at_];
        continue;
      }
      if (++at_ >= text_.size()) fail("a string is not closed");
      if (text_[at_] == 'n') {
        current_.text += '\n';
      } else if (text_[at_] == 'x') {
        if (at_ + 2 >= text_.size() || !std::isxdigit(static_cast<unsigned char>(text_[at_ + 1])) || !std::isxdigit(static_cast<unsigned char>(text_[at_ + 2]))) fail("\\x needs two hexadecimal digits");
        current_.text += static_cast<char>(std::stoi(std::string(text_.substr(at_ + 1, 2)), nullptr, 16));
        at_ += 2;
      } else {
        current_.text += text_[at_];
      }
    }
    ++at_;
    return;
  } else {
    ++at_;
    current_.kind = TokenKind::symbol;
  }
  current_.text = std::string(text_.substr(start, at_ - start));
}

Token Lexer::take() {
  Token token = std::move(current_);
  advance();
  return token;
}

bool Lexer::accept(std::string_view text) {
  if (!at(text)) return false;
  advance();
  return true;
}

void Lexer::expect(std::string_view text) {
  if (!accept(text)) fail(fmt::format("expected '{}', found '{}'", text, at_end() ? "the end" : current_.text));
}

std::string Lexer::expect_word() {
  if (current_.kind != TokenKind::word) fail(fmt::format("expected a word, found '{}'", current_.text));
  return take().text;
}

std::string Lexer::expect_name() {
  if (current_.kind == TokenKind::end || current_.kind == TokenKind::symbol) fail("expected a name");
  return take().text;
}

std::string Lexer::take_until(std::string_view stops) {
  size_t depth = 0, end = current_.offset;
  for (; end < text_.size(); ++end) {
    const char c = text_[end];
    if (depth == 0 && stops.find(c) != std::string_view::npos) break;
    if (c == '(') ++depth;
    if (c == ')' && depth-- == 0) break;
    if (c == '\n') break;
  }
  std::string taken(text_.substr(current_.offset, end - current_.offset));
  at_ = end;
  advance();
  while (!taken.empty() && taken.back() == ' ') taken.pop_back();
  return taken;
}

}  // namespace burnish::ir
