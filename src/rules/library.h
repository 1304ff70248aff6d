// All rules, by the file that holds them.
#pragma once

#include <string_view>
#include <vector>

#include "rewrite/driver.h"

namespace burnish::rules {

struct RuleFile {
  std::string_view name;  ///< "simplify", without its extension
  std::string_view text;
};

/// The files of this folder, as they were when Burnish was built.
const std::vector<RuleFile>& rule_files();

/// Predicates and functions that rules may call: predicates.cpp and functions.cpp.
const rewrite::Vocabulary& vocabulary();
std::span<const rewrite::NamedPredicate> predicates();
std::span<const rewrite::NamedFunction> functions();

/// A file's rules, parsed once. Throws Error for an unknown file or a mistake in it.
const rewrite::RuleSet& rule_set(std::string_view file);

}  // namespace burnish::rules
