#include "ops/table.h"

#include <map>

#include "base/error.h"

namespace burnish::ops {
namespace {

#define BURNISH_NAME(NAME) &def::NAME,
const OpDef* const table[] = {BURNISH_OPS(BURNISH_NAME)};
#undef BURNISH_NAME

class Lookup : public ir::OpLookup {
 public:
  Lookup() {
    for (const OpDef* op : table) require(names_.emplace(op->name, op).second, "internal: two ops are called '{}'", op->name);
  }
  const ir::Op* find(std::string_view name) const override {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : found->second;
  }

 private:
  std::map<std::string, const OpDef*, std::less<>> names_;
};

}  // namespace

std::span<const OpDef* const> all_ops() { return table; }

const ir::OpLookup& op_lookup() {
  static const Lookup lookup;
  return lookup;
}

const OpDef& find_op(std::string_view name) {
  const ir::Op* op = op_lookup().find(name);
  require(op != nullptr, "internal: no op is called '{}'", name);
  return static_cast<const OpDef&>(*op);
}

}  // namespace burnish::ops
