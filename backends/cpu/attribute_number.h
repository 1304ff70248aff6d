// Attributes of any op by name, where the struct itself is private to the op's file.
#pragma once

#include <cmath>
#include <string_view>

#include "ir/attributes.h"

namespace burnish::cpu {

/// The number or flag called `name`; throws Error where the op has none.
double attribute_number(const ir::Attributes& attributes, std::string_view name);
/// The list of integers called `name`.
std::vector<int64_t> attribute_integers(const ir::Attributes& attributes, std::string_view name);
/// The text called `name`.
std::string attribute_text(const ir::Attributes& attributes, std::string_view name);

}  // namespace burnish::cpu
