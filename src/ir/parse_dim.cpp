#include <array>
#include <cctype>
#include <charconv>

#include "base/error.h"
#include "ir/dim.h"

namespace burnish::ir {
namespace {

struct NamedFunction {
  std::string_view name;
  Dim (*make)(const Dim&, const Dim&);
};
constexpr std::array<NamedFunction, 6> functions = {{{"floor_div", floor_div},
                                                     {"ceil_div", ceil_div},
                                                     {"mod", mod},
                                                     {"min", min},
                                                     {"max", max},
                                                     {"broadcast", broadcast}}};

/// Recursive descent over: sum := product (('+'|'-') product)*; product := factor ('*' factor)*.
class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}

  Dim parse() {
    Dim result = sum();
    skip();
    require(at_ == text_.size(), "bad dimension '{}': unexpected '{}'", text_, text_.substr(at_));
    return result;
  }

 private:
  Dim sum() {
    require(++depth_ < 200, "bad dimension '{}': nested too deeply", text_);
    const bool negative = accept('-');
    Dim result = negative ? Dim(0) - term() : term();
    while (true) {
      if (accept('+'))
        result = result + term();
      else if (accept('-'))
        result = result - term();
      else
        break;
    }
    --depth_;
    return result;
  }

  Dim term() {
    Dim result = factor();
    while (accept('*')) result = result * factor();
    return result;
  }

  Dim factor() {
    skip();
    if (accept('(')) {
      Dim inside = sum();
      expect(')');
      return inside;
    }
    const size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' ||
                                  text_[at_] == '.' || text_[at_] == '$'))
      ++at_;
    const std::string word(text_.substr(start, at_ - start));
    require(!word.empty(), "bad dimension '{}': expected a number or a name at position {}", text_, start);
    if (std::isdigit(static_cast<unsigned char>(word[0]))) return number(word);
    for (const NamedFunction& function : functions) {
      if (word != function.name || !accept('(')) continue;
      const Dim a = sum();
      expect(',');
      const Dim b = sum();
      expect(')');
      return function.make(a, b);
    }
    return Dim::symbol(word);
  }

  int64_t number(const std::string& word) {
    int64_t value = 0;
    const char* end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, value);
    require(rest == end, "bad dimension '{}': '{}' is no number", text_, word);
    require(error == std::errc(), "bad dimension '{}': {} is too large", text_, word);
    return value;
  }

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    require(accept(c), "bad dimension '{}': expected '{}' at position {}", text_, c, at_);
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Dim Dim::parse(std::string_view text) { return DimParser(text).parse(); }

}  // namespace burnish::ir
