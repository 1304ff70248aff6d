#include "ir/attributes.h"

#include <fmt/format.h>

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

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += std::string("\\") + c;
    else if (c == '\n') result += "\\n";
    else if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) == 127) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else result += c;
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
