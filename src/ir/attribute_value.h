// One attribute by name: for those who know attributes only by what a text says of them.
#pragma once

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "ir/attributes.h"
#include "ir/dim.h"

namespace burnish::ir {

/// A value of any type that an attribute may have. Two kinds go beyond what a struct's member holds: a list
/// of dimensions (what a shape is), and the attributes of a whole node.
using AttributeValue =
    std::variant<std::monostate, int64_t, double, bool, std::string, DType, std::vector<int64_t>,
                 std::vector<double>, std::vector<std::string>, std::vector<Dim>, Attributes>;

using NamedAttribute = std::pair<std::string, AttributeValue>;

/// Every attribute in the struct's order.
std::vector<NamedAttribute> list_attributes(const Attributes& attributes);
/// Sets one; integers convert to numbers and to booleans. Throws Error if there is none of that name, or it
/// takes another type.
void set_attribute(Attributes& attributes, std::string_view name, const AttributeValue& value);
/// nullopt where there is none of that name.
std::optional<AttributeValue> get_attribute(const Attributes& attributes, std::string_view name);

/// Equality across integer, number and boolean; numbers agree within `tolerance`, relative to the larger.
bool same_attribute(const AttributeValue& a, const AttributeValue& b, double tolerance = 1e-6);
std::string attribute_text(const AttributeValue& value);

}  // namespace burnish::ir
