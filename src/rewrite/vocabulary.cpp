#include "rewrite/vocabulary.h"

#include <fmt/format.h>

namespace burnish::rewrite {
namespace {

[[noreturn]] void wrong(size_t i, std::string_view expected, const Argument& got) {
  fail("internal: argument {} of a rule's call must be {}, not {}", i + 1, expected,
       got.is_variable ? "a value" : ir::attribute_text(got.literal));
}

template <class T>
const T& expect(const Argument& argument, size_t i, std::string_view expected) {
  const T* held = argument.is_variable ? nullptr : std::get_if<T>(&argument.literal);
  if (!held) wrong(i, expected, argument);
  return *held;
}

}  // namespace

const Argument& Arguments::operator[](size_t i) const {
  require(i < arguments_.size(), "internal: a rule's call lacks argument {}", i + 1);
  return arguments_[i];
}

ir::ValueId Arguments::value(size_t i) const {
  const Argument& argument = (*this)[i];
  if (!argument.is_variable) wrong(i, "a value", argument);
  return argument.value;
}

int64_t Arguments::integer(size_t i) const { return expect<int64_t>((*this)[i], i, "an integer"); }

double Arguments::number(size_t i) const {
  const Argument& argument = (*this)[i];
  if (const auto* integer = std::get_if<int64_t>(&argument.literal)) return static_cast<double>(*integer);
  return expect<double>(argument, i, "a number");
}

const std::vector<int64_t>& Arguments::integers(size_t i) const {
  return expect<std::vector<int64_t>>((*this)[i], i, "a list of integers");
}

const std::string& Arguments::word(size_t i) const { return expect<std::string>((*this)[i], i, "a word"); }

const ir::Attributes& Arguments::attributes(size_t i) const {
  return expect<ir::Attributes>((*this)[i], i, "the attributes of a node");
}

}  // namespace burnish::rewrite
