#include "onnx/registry.h"

#include <algorithm>
#include <map>

#include "onnx/lower_traced.h"
#include "onnx/lowerings.h"
#include "ops/table.h"

namespace burnish::onnx {
namespace {

#define BURNISH_ROW(OP, DOMAIN, SINCE, FUNCTION) {OP, DOMAIN, SINCE, FUNCTION},
constexpr Lowering lowerings[] = {BURNISH_LOWERINGS(BURNISH_ROW)};
#undef BURNISH_ROW

using Key = std::pair<std::string_view, std::string_view>;  // op, domain

std::multimap<Key, Import> make_imports() {
  std::multimap<Key, Import> imports;
  for (const Lowering& row : lowerings)
    imports.insert({{row.op, row.domain}, {row.lower, nullptr, row.since}});
  imports.insert({{traced_op, traced_domain}, {lower_traced, nullptr, 1}});
  for (const ops::OpDef* op : ops::all_ops())
    for (const ops::OnnxName& name : op->onnx)
      imports.insert({{name.name, name.domain}, {nullptr, op, name.since}});
  return imports;
}

constexpr std::pair<std::string_view, std::string_view> refused[] = {
    {"SequenceMap", "sequence"},
    {"Optional", "optional"},
    {"OptionalGetElement", "optional"},
    {"OptionalHasElement", "optional"},
    {"StringConcat", "string"},
    {"StringSplit", "string"},
    {"StringNormalizer", "string"},
    {"RegexFullMatch", "string"},
    {"LabelEncoder", "string"},
    {"DictVectorizer", "map"},
    {"CastMap", "map"},
    {"ZipMap", "map"},
    {"RandomNormal", "random"},
    {"RandomNormalLike", "random"},
    {"RandomUniform", "random"},
    {"RandomUniformLike", "random"},
    {"Multinomial", "random"},
    {"Bernoulli", "random"},
    {"Gradient", "training"},
    {"Adagrad", "training"},
    {"Adam", "training"},
    {"Momentum", "training"},
    {"ImageDecoder", "image"},
};

}  // namespace

std::span<const Lowering> all_lowerings() { return lowerings; }

Import find_import(std::string_view op_type, std::string_view domain, int64_t opset) {
  static const std::multimap<Key, Import> imports = make_imports();
  Import best;
  for (auto [at, end] = imports.equal_range({op_type, domain}); at != end; ++at)
    if (at->second.since <= opset && at->second.since > best.since) best = at->second;
  return best;
}

bool takes_sequences(std::string_view op_type) {
#define BURNISH_NAME(OP, DOMAIN, SINCE, FUNCTION) OP,
  constexpr std::string_view names[] = {BURNISH_SEQUENCE_LOWERINGS(BURNISH_NAME)};
#undef BURNISH_NAME
  return std::find(std::begin(names), std::end(names), op_type) != std::end(names);
}

std::string_view refused_kind(std::string_view op_type, std::string_view domain) {
  if (domain == "ai.onnx.ml") return "ai.onnx.ml";
  if (domain == "ai.onnx.preview.training") return "training";
  for (const auto& [name, kind] : refused)
    if (name == op_type) return kind;
  return "";
}

}  // namespace burnish::onnx
