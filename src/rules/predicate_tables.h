// Tables of predicates that predicates() joins to its own.
#pragma once

#include <span>

#include "rewrite/vocabulary.h"

namespace burnish::rules {

std::span<const rewrite::NamedPredicate> attention_predicates();

}  // namespace burnish::rules
