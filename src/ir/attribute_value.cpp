#include "ir/attribute_value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace burnish::ir {
namespace {

/// Calls one function template for every attribute, whatever its type.
template <class Body>
class Each : public AttributeVisitor {
 public:
  explicit Each(Body body) : body_(std::move(body)) {}
  void operator()(std::string_view name, int64_t& value) override { body_(name, value); }
  void operator()(std::string_view name, double& value) override { body_(name, value); }
  void operator()(std::string_view name, bool& value) override { body_(name, value); }
  void operator()(std::string_view name, std::string& value) override { body_(name, value); }
  void operator()(std::string_view name, DType& value) override { body_(name, value); }
  void operator()(std::string_view name, std::vector<int64_t>& value) override { body_(name, value); }
  void operator()(std::string_view name, std::vector<double>& value) override { body_(name, value); }
  void operator()(std::string_view name, std::vector<std::string>& value) override { body_(name, value); }

 private:
  Body body_;
};

std::optional<double> as_number(const AttributeValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<std::vector<double>> as_numbers(const AttributeValue& value) {
  if (const auto* numbers = std::get_if<std::vector<double>>(&value)) return *numbers;
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&value))
    return std::vector<double>(integers->begin(), integers->end());
  return std::nullopt;
}

bool near(double a, double b, double tolerance) {
  if (std::isinf(a) || std::isinf(b)) return a == b;  // no tolerance reaches infinity
  return a == b || std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b)) ||
         (std::isnan(a) && std::isnan(b));
}

/// Puts `from` into an attribute of type T; false if it does not fit.
template <class T>
bool assign(T& to, const AttributeValue& from) {
  if (const T* same = std::get_if<T>(&from)) {
    to = *same;
    return true;
  }
  if constexpr (std::is_same_v<T, double> || std::is_same_v<T, bool> || std::is_same_v<T, int64_t>) {
    const auto number = as_number(from);
    if (!number ||
        (!std::is_same_v<T, double> && (*number != std::trunc(*number) || std::abs(*number) >= 0x1p63)))
      return false;
    to = static_cast<T>(*number);
    return true;
  } else if constexpr (std::is_same_v<T, std::vector<double>>) {
    const auto numbers = as_numbers(from);
    if (numbers) to = *numbers;
    return numbers.has_value();
  } else if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
    const auto* dims = std::get_if<std::vector<Dim>>(&from);
    const auto numbers = dims ? constants(*dims) : std::nullopt;
    if (numbers) to = *numbers;
    return numbers.has_value();
  } else if constexpr (std::is_same_v<T, DType>) {
    const auto* name = std::get_if<std::string>(&from);
    const auto dtype = name ? parse_dtype(*name) : std::nullopt;
    if (dtype) to = *dtype;
    return dtype.has_value();
  } else {
    return false;
  }
}

}  // namespace

std::vector<NamedAttribute> list_attributes(const Attributes& attributes) {
  std::vector<NamedAttribute> list;
  Each visitor([&](std::string_view name, auto& value) { list.emplace_back(std::string(name), value); });
  attributes.inspect(visitor);
  return list;
}

void set_attribute(Attributes& attributes, std::string_view name, const AttributeValue& value) {
  bool found = false, fits = false;
  Each visitor([&](std::string_view candidate, auto& member) {
    if (candidate != name) return;
    found = true;
    fits = assign(member, value);
  });
  attributes.visit(visitor);
  require(found, "there is no attribute '{}'", name);
  require(fits, "attribute '{}' cannot be {}", name, attribute_text(value));
}

std::optional<AttributeValue> get_attribute(const Attributes& attributes, std::string_view name) {
  std::optional<AttributeValue> result;
  Each visitor([&](std::string_view candidate, auto& member) {
    if (candidate == name) result = member;
  });
  attributes.inspect(visitor);
  return result;
}

bool same_attribute(const AttributeValue& a, const AttributeValue& b, double tolerance) {
  if (const auto x = as_number(a), y = as_number(b); x && y) return near(*x, *y, tolerance);
  if (const auto x = as_numbers(a), y = as_numbers(b); x && y)
    return std::equal(x->begin(), x->end(), y->begin(), y->end(),
                      [&](double p, double q) { return near(p, q, tolerance); });
  if (const auto* dtype = std::get_if<DType>(&a))
    if (const auto* name = std::get_if<std::string>(&b)) return dtype_name(*dtype) == *name;
  return a == b;
}

std::string attribute_text(const AttributeValue& value) {
  return std::visit(
      []<class T>(const T& held) -> std::string {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "nothing";
        } else if constexpr (std::is_same_v<T, double>) {
          return number_text(held);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return quoted(held);
        } else if constexpr (std::is_same_v<T, DType>) {
          return std::string(dtype_name(held));
        } else if constexpr (std::is_same_v<T, std::vector<Dim>>) {
          return "[" + dims_text(held) + "]";
        } else if constexpr (std::is_same_v<T, Attributes>) {
          return held.str().empty() ? "{}" : held.str();
        } else {
          return fmt::format("{}", held);
        }
      },
      value);
}

}  // namespace burnish::ir
