#include "ir/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace burnish::ir {
namespace {

/// Collects "name=value" texts.
class Printer : public AttributeVisitor {
 public:
  struct Entry {
    std::string name, text;
  };
  std::vector<Entry> entries;

  void operator()(std::string_view name, int64_t& value) override { add(name, std::to_string(value)); }
  void operator()(std::string_view name, double& value) override { add(name, number_text(value)); }
  void operator()(std::string_view name, bool& value) override { add(name, value ? "true" : "false"); }
  void operator()(std::string_view name, std::string& value) override { add(name, quoted(value)); }
  void operator()(std::string_view name, DType& value) override { add(name, std::string(dtype_name(value))); }
  void operator()(std::string_view name, std::vector<int64_t>& value) override {
    add(name, fmt::format("[{}]", fmt::join(value, ",")));
  }
  void operator()(std::string_view name, std::vector<double>& value) override {
    std::vector<std::string> texts;
    for (double number : value) texts.push_back(number_text(number));
    add(name, fmt::format("[{}]", fmt::join(texts, ",")));
  }
  void operator()(std::string_view name, std::vector<std::string>& value) override {
    std::vector<std::string> texts;
    for (const std::string& text : value) texts.push_back(quoted(text));
    add(name, fmt::format("[{}]", fmt::join(texts, ",")));
  }

 private:
  void add(std::string_view name, std::string text) { entries.push_back({std::string(name), std::move(text)}); }
};

}  // namespace

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

namespace {

/// Bytes of the UTF-8 character that begins here (RFC 3629, section 4); 0 where none does.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const auto follows = [&](size_t i, int low = 0x80, int high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
  const int first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return follows(1) ? 2 : 0;
  if (first < 0xf0) return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
}

}  // namespace

/// Valid UTF-8 whatever the bytes: names in a model may be any.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const char c = text[0];
    const size_t length = utf8_length(text);
    if (c == '"' || c == '\\') result += std::string("\\") + c;
    else if (c == '\n') result += "\\n";
    else if (length == 0 || (length == 1 && (c < 32 || c == 127))) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else result += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(1, length));
  }
  return result + "\"";
}

std::string Attributes::str() const {
  Printer mine, defaults;
  holder_->visit(mine);
  holder_->defaults()->visit(defaults);
  std::string text;
  for (size_t i = 0; i < mine.entries.size(); ++i) {
    if (mine.entries[i].text == defaults.entries[i].text) continue;
    text += (text.empty() ? "{" : ", ") + mine.entries[i].name + "=" + mine.entries[i].text;
  }
  return text.empty() ? text : text + "}";
}

}  // namespace burnish::ir
