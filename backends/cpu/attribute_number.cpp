#include "backends/cpu/attribute_number.h"

#include <optional>

#include "base/error.h"

namespace burnish::cpu {
namespace {

/// Keeps the attribute of one name, whatever its type.
class Finder : public ir::AttributeVisitor {
 public:
  explicit Finder(std::string_view name) : name_(name) {}
  void operator()(std::string_view name, int64_t& value) override {
    keep(name, number, static_cast<double>(value));
  }
  void operator()(std::string_view name, double& value) override { keep(name, number, value); }
  void operator()(std::string_view name, bool& value) override { keep(name, number, value ? 1.0 : 0.0); }
  void operator()(std::string_view name, std::string& value) override { keep(name, text, value); }
  void operator()(std::string_view name, DType& value) override {
    keep(name, number, static_cast<double>(value));
  }
  void operator()(std::string_view name, std::vector<int64_t>& value) override {
    keep(name, integers, value);
  }
  void operator()(std::string_view, std::vector<double>&) override {}
  void operator()(std::string_view, std::vector<std::string>&) override {}

  std::optional<double> number;
  std::optional<std::string> text;
  std::optional<std::vector<int64_t>> integers;

 private:
  template <class T>
  void keep(std::string_view name, std::optional<T>& slot, const T& value) {
    if (name == name_) slot = value;
  }
  std::string_view name_;
};

template <class T>
T found(const std::optional<T>& value, std::string_view name) {
  require(value.has_value(), "internal: the op has no attribute '{}' of that kind", name);
  return *value;
}

}  // namespace

double attribute_number(const ir::Attributes& attributes, std::string_view name) {
  Finder finder(name);
  attributes.inspect(finder);
  return found(finder.number, name);
}

std::vector<int64_t> attribute_integers(const ir::Attributes& attributes, std::string_view name) {
  Finder finder(name);
  attributes.inspect(finder);
  return found(finder.integers, name);
}

std::string attribute_text(const ir::Attributes& attributes, std::string_view name) {
  Finder finder(name);
  attributes.inspect(finder);
  return found(finder.text, name);
}

}  // namespace burnish::cpu
