#include "rules/library.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace burnish::rules {

const rewrite::Vocabulary& vocabulary() {
  static const rewrite::Vocabulary words = {predicates(), functions()};
  return words;
}

namespace {

struct Parsed {
  std::vector<rewrite::Rule> rules;
  rewrite::RuleSet set;
};

std::map<std::string_view, std::unique_ptr<Parsed>> parse_all() {
  std::map<std::string_view, std::unique_ptr<Parsed>> all;
  std::set<std::string> names;
  for (const RuleFile& file : rule_files()) {
    auto parsed = std::make_unique<Parsed>();
    parsed->rules = rewrite::parse_rules(std::string(file.name) + ".rules", file.text, vocabulary());
    for (const rewrite::Rule& rule : parsed->rules)
      require(names.insert(rule.name).second, "{}.rules: two rules are called '{}'", file.name, rule.name);
    parsed->set = rewrite::RuleSet(parsed->rules);
    all.emplace(file.name, std::move(parsed));
  }
  return all;
}

}  // namespace

const rewrite::RuleSet& rule_set(std::string_view file) {
  static const auto all = parse_all();
  const auto found = all.find(file);
  require(found != all.end(), "internal: there is no file {}.rules", file);
  return found->second->set;
}

}  // namespace burnish::rules
