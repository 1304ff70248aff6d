// What the IR must know of an op to print, parse and hold its nodes. ops/op_def.h has the rest.
#pragma once

#include <string>
#include <string_view>

#include "ir/attributes.h"

namespace burnish::ir {

struct Op {
  std::string name;
  Attributes default_attributes;
  int bodies = 0;  ///< how many body graphs a node of it carries (if: 2; loop, scan, region: 1)
};

/// Finds ops by name, for the parser. Implemented by ops/table.cpp.
class OpLookup {
 public:
  virtual ~OpLookup() = default;
  virtual const Op* find(std::string_view name) const = 0;
};

}  // namespace burnish::ir
