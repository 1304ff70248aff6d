#include "operators_page.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <vector>

#include "ir/attributes.h"
#include "onnx/lowerings.h"
#include "onnx/registry.h"
#include "ops/table.h"

namespace burnish::docs {
namespace {

struct Section {
  ops::Fusion fusion;
  const char* title;
  const char* text;
};

constexpr Section sections[] = {
    {ops::Fusion::contraction, "Contractions",
     "Multiply and add over shared dimensions; they take a pointwise epilogue into their kernel."},
    {ops::Fusion::pointwise, "Pointwise",
     "Each element from the elements at the same place, inputs broadcast together; any number of them make "
     "one kernel."},
    {ops::Fusion::reduction, "Reductions", "Pointwise but for some axes."},
    {ops::Fusion::injective, "Movers", "Elements change places, and no arithmetic is done."},
    {ops::Fusion::opaque, "Others", "Each runs as a kernel of its own."},
};

/// "axis=-1, keepdims=true": names and defaults.
class Defaults : public ir::AttributeVisitor {
 public:
  std::string text;
  void operator()(std::string_view name, int64_t& value) override { add(name, std::to_string(value)); }
  void operator()(std::string_view name, double& value) override { add(name, ir::number_text(value)); }
  void operator()(std::string_view name, bool& value) override { add(name, value ? "true" : "false"); }
  void operator()(std::string_view name, std::string& value) override { add(name, ir::quoted(value)); }
  void operator()(std::string_view name, DType& value) override { add(name, std::string(dtype_name(value))); }
  void operator()(std::string_view name, std::vector<int64_t>& value) override {
    add(name, fmt::format("[{}]", fmt::join(value, ",")));
  }
  void operator()(std::string_view name, std::vector<double>& value) override {
    add(name, fmt::format("[{}]", fmt::join(value, ",")));
  }
  void operator()(std::string_view name, std::vector<std::string>& value) override {
    add(name, fmt::format("[{}]", fmt::join(value, ",")));
  }

 private:
  void add(std::string_view name, const std::string& value) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  }
};

/// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (char c : text) escaped += c == '|' ? "\\|" : std::string(1, c);
  return escaped;
}

std::string signature(const ops::OpDef& op) {
  std::vector<std::string> inputs;
  for (const ops::InputSpec& input : op.inputs)
    inputs.push_back(input.name + (input.variadic ? "..." : input.optional ? "?" : ""));
  return fmt::format("`{}({}) -> {}{}`", op.name, fmt::join(inputs, ", "), fmt::join(op.outputs, ", "),
                     op.variadic_outputs ? "..." : "");
}

std::string row(const ops::OpDef& op) {
  Defaults defaults;
  ir::Attributes(op.default_attributes).visit(defaults);
  std::vector<std::string> names;
  for (const ops::OnnxName& name : op.onnx)
    names.push_back(
        fmt::format("{}{} {}", name.domain.empty() ? "" : name.domain + ".", name.name, name.since));
  return fmt::format("| {} | {} | {} | {} |\n", signature(op), cell(op.summary),
                     defaults.text.empty() ? "" : "`" + cell(defaults.text) + "`", fmt::join(names, ", "));
}

/// ONNX's ops that become one op or several: by domain, in alphabetical order.
std::string onnx_ops() {
  std::map<std::string, std::set<std::string>> by_domain;
  for (const onnx::Lowering& lowering : onnx::all_lowerings())
    by_domain[std::string(lowering.domain)].emplace(lowering.op);
  for (const ops::OpDef* op : ops::all_ops())
    for (const ops::OnnxName& name : op->onnx) by_domain[name.domain].insert(name.name);
  std::string text;
  for (const auto& [domain, names] : by_domain)
    text += fmt::format("\n{} ({}): {}.\n", domain.empty() ? "ONNX's own domain" : "Domain `" + domain + "`",
                        names.size(), fmt::join(names, ", "));
  return text;
}

}  // namespace

std::string operators_page() {
  std::string page = fmt::format(
      "# The operators\n\nMade from the table of ops (src/ops/list.h) by `BURNISH_WRITE_DOCS=1 "
      "build/bin/test_docs`; a test compares.\n\n"
      "The IR has {} ops; the importer lowers ONNX's to them, opset 1 to {}. `x?` is optional, `x...` any "
      "number. The last column has the ONNX ops "
      "that map one to one, with the first opset that is read so; those of the list at the end that are not "
      "there are lowered to several.\n",
      ops::all_ops().size(), onnx::newest_opset);
  for (const Section& section : sections) {
    page += fmt::format(
        "\n## {}\n\n{}\n\n| op | what it computes | attributes and their defaults | ONNX "
        "|\n|---|---|---|---|\n",
        section.title, section.text);
    for (const ops::OpDef* op : ops::all_ops())
      if (op->fusion == section.fusion) page += row(*op);
  }
  page += "\n## ONNX ops that are read\n" + onnx_ops() +
          "\nOps of sequences whose length only the run tells, optionals, strings, maps, random numbers, training and images are refused by "
          "name, as is what is not listed here; "
          "a model's local functions are inlined.\n";
  return page;
}

}  // namespace burnish::docs
