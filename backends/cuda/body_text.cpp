#include "cuda/body_text.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "ops/activation.h"
#include "ops/cast.h"
#include "ops/pointwise.h"
#include "ops/table.h"
#include "ops/user.h"

namespace burnish::cuda {
namespace {

std::string double_text(double value) {
  if (std::isnan(value)) return "__longlong_as_double(0x7ff8000000000000ll)";
  if (std::isinf(value))
    return value > 0 ? "__longlong_as_double(0x7ff0000000000000ll)"
                     : "__longlong_as_double(0xfff0000000000000ull)";
  return fmt::format("{:a}", value);
}

/// Attributes as the members of a struct `attr`, as expressions' texts name them.
class AttributeText : public ir::AttributeVisitor {
 public:
  std::string members;
  void operator()(std::string_view name, int64_t& value) override {
    add("long long", name, fmt::format("{}ll", value));
  }
  void operator()(std::string_view name, double& value) override { add("double", name, double_text(value)); }
  void operator()(std::string_view name, bool& value) override {
    add("bool", name, value ? "true" : "false");
  }
  void operator()(std::string_view, std::string&) override {}
  void operator()(std::string_view, DType&) override {}
  void operator()(std::string_view, std::vector<int64_t>&) override {}
  void operator()(std::string_view, std::vector<double>&) override {}
  void operator()(std::string_view, std::vector<std::string>&) override {}

 private:
  void add(const char* type, std::string_view name, const std::string& value) {
    members += fmt::format("{} {} = {}; ", type, name, value);
  }
};

bool is_cast(const ops::OpDef& op) { return op.name == "cast"; }
bool is_user(const ops::OpDef& op) { return &op == &ops::def::user_pointwise; }
/// x Phi(x) in single precision, which the prelude has by itself: erf costs more than most products' other
/// ends.
bool is_exact_gelu(const ir::Node& node, DType arithmetic) {
  return node.op == &ops::def::gelu && !node.attributes.as<ops::GeluAttributes>().approximate &&
         compute_type(arithmetic) == "float";
}
bool is_copy(const ops::OpDef& op) { return op.name == "reformat" || op.name == "identity"; }

/// A value of `from`'s compute type as it is after a Cast to `to`.
std::string cast_text(const std::string& value, DType from, DType to, bool saturate) {
  if (to == DType::f8e4m3 || to == DType::f8e5m2)
    return fmt::format("widen<{0}>(to_{0}(float({1}), {2}))", memory_type(to), value, saturate);
  if (to == DType::boolean) return fmt::format("({} != 0)", value);
  const std::string converted = compute_type(from) == compute_type(to)
                                    ? value
                                    : fmt::format("convert<{}>({})", compute_type(to), value);
  if (memory_type(to) == compute_type(to)) return converted;
  return fmt::format("widen<{0}>(narrow<{0}>({1}))", memory_type(to), converted);
}

}  // namespace

std::string memory_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::f64:
      return "double";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::i8:
      return "int8_t";
    case DType::u8:
      return "uint8_t";
    case DType::i16:
      return "int16_t";
    case DType::u16:
      return "uint16_t";
    case DType::i32:
      return "int32_t";
    case DType::u32:
      return "uint32_t";
    case DType::i64:
      return "int64_t";
    case DType::u64:
      return "uint64_t";
    case DType::f8e4m3:
      return "f8e4m3";
    case DType::f8e5m2:
      return "f8e5m2";
    case DType::i4:
      return "i4";
    case DType::u4:
      return "u4";
    case DType::boolean:
      break;
  }
  return "bool";
}

std::string compute_type(DType dtype) {
  if (dtype == DType::i4 || dtype == DType::u4) return "int32_t";
  return is_floating(dtype) && dtype != DType::f64 ? "float" : memory_type(dtype);
}

std::string literal_text(const Tensor& value) {
  const std::string type = compute_type(value.dtype());
  switch (value.dtype()) {
    case DType::f32:
      return fmt::format("float({})", double_text(value.data<float>()[0]));
    case DType::f16:
      return fmt::format("float({})", double_text(value.data<Half>()[0]));
    case DType::bf16:
      return fmt::format("float({})", double_text(value.data<BFloat16>()[0]));
    case DType::f64:
      return double_text(value.data<double>()[0]);
    case DType::boolean:
      return value.data<bool>()[0] ? "true" : "false";
    case DType::u64:
      return fmt::format("{}ull", value.data<uint64_t>()[0]);
    case DType::f8e4m3:
      return fmt::format("float({})", double_text(value.data<Float8E4M3>()[0]));
    case DType::f8e5m2:
      return fmt::format("float({})", double_text(value.data<Float8E5M2>()[0]));
    case DType::i4:
      return fmt::format("int32_t({})", int{value.data<Int4>()[0]});
    case DType::u4:
      return fmt::format("int32_t({})", int{value.data<UInt4>()[0]});
    default:
      break;
  }
  int64_t number = 0;
  dispatch(IntegerTypes{}, value.dtype(),
           [&]<class T>(Type<T>) { number = static_cast<int64_t>(value.data<T>()[0]); });
  // The smallest integer has no literal of its own.
  return number == INT64_MIN ? fmt::format("{}(-9223372036854775807ll - 1)", type)
                             : fmt::format("{}({}ll)", type, number);
}

Support has_user_text(const ir::Node& node) {
  const auto& attributes = node.attributes.as<ops::UserAttributes>();
  if (attributes.cuda.empty()) return Support::no("{} '{}' has no CUDA text", node.op->name, attributes.name);
  const auto in_names = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  const bool is_name = !attributes.name.empty() &&
                       !std::isdigit(static_cast<unsigned char>(attributes.name[0])) &&
                       std::all_of(attributes.name.begin(), attributes.name.end(), in_names);
  return is_name ? Support::yes() : Support::no("'{}' is no name of a function", attributes.name);
}

std::string user_text(const std::string& name_space, const ir::Node& node) {
  const auto& attributes = node.attributes.as<ops::UserAttributes>();
  // The compiler's messages name the op and count the lines of its own text.
  return fmt::format(
      "}}\nnamespace {} {{\n#line 1 \"{}\"\n{}\n#line 1 \"kernel.cu\"\n}}\nnamespace burnish {{\n",
      name_space, attributes.name, attributes.cuda);
}

void BodyText::add_user_node(size_t i, const std::string& variable) {
  const ir::Node& node = problem_.node(i);
  const std::string name_space = fmt::format("user{}", i),
                    type = compute_type(problem_.body().value(node.outputs[0]).type.dtype);
  std::string arguments;
  for (ir::ValueId input : node.inputs) arguments += (arguments.empty() ? "" : ", ") + name(input);
  functions_ += user_text(name_space, node);
  statements_ += fmt::format("    const {0} {1} = {0}(::{2}::{3}({4}));\n", type, variable, name_space,
                             node.attributes.as<ops::UserAttributes>().name, arguments);
  define(node.outputs[0], variable);
}

Support BodyText::supports(const device::Problem& problem, size_t i) {
  const ops::OpDef& op = problem.op(i);
  const ir::Node& node = problem.node(i);
  if (is_user(op)) {
    if (Support support = has_user_text(node); !support) return support;
  } else if (!op.expression && !is_cast(op) && !is_copy(op)) {
    return Support::no("{} is not pointwise", op.name);
  }
  for (ir::ValueId value : node.inputs) {
    if (!value) return Support::no("{} lacks an input", op.name);
    if (!problem.literal(value).empty() && problem.literal(value).size() != 1)
      return Support::no("{} has a literal of several elements", op.name);
  }
  return Support::yes();
}

std::string BodyText::statements_to_outputs() const {
  std::string text = statements_;
  const auto& outputs = problem_.body().outputs;
  for (size_t i = 0; i < outputs.size(); ++i)
    text += fmt::format("    out{} = {};\n", i, name(outputs[i].value));
  return text;
}

std::string BodyText::name(ir::ValueId value) const {
  const auto found = names_.find(value);
  if (found != names_.end()) return found->second;
  const Tensor& literal = problem_.literal(value);
  require(!literal.empty(), "internal: a body's value is used before it is made");
  return literal_text(literal);
}

void BodyText::add_node(size_t i) {
  const ir::Node& node = problem_.node(i);
  const ops::OpDef& op = problem_.op(i);
  const auto dtype = [&](ir::ValueId value) { return problem_.body().value(value).type.dtype; };
  const DType result = dtype(node.outputs[0]);
  const std::string variable = fmt::format("v{}", node.outputs[0].index);
  if (is_copy(op) || is_cast(op)) {
    const std::string value = is_copy(op) ? name(node.inputs[0])
                                          : cast_text(name(node.inputs[0]), dtype(node.inputs[0]), result,
                                                      node.attributes.as<ops::CastAttributes>().saturate);
    statements_ += fmt::format("    const {} {} = {};\n", compute_type(result), variable, value);
    define(node.outputs[0], variable);
    return;
  }
  if (is_user(op)) return add_user_node(i, variable);
  const ops::Expression& expression = *op.expression;
  DType arithmetic = DType::boolean;
  std::string parameters, arguments;
  for (size_t j = 0; j < node.inputs.size(); ++j) {
    const bool boolean = expression.boolean_parameters[j];
    if (!boolean) arithmetic = dtype(node.inputs[j]);
    parameters +=
        fmt::format("{}{} {}", j ? ", " : "", boolean ? "bool" : compute_type(dtype(node.inputs[j])),
                    expression.parameters[j]);
    arguments += (j ? ", " : "") + name(node.inputs[j]);
  }
  AttributeText attributes;
  node.attributes.inspect(attributes);
  functions_ += fmt::format(
      "BURNISH_DEVICE {} node{}({}) {{ using T = {}; {}return {}; }}\n", compute_type(result), i, parameters,
      compute_type(arithmetic),
      attributes.members.empty() ? "" : fmt::format("const struct {{ {}}} attr; ", attributes.members),
      is_exact_gelu(node, arithmetic) ? "gelu(x)" : expression.text);
  statements_ += fmt::format("    const {} {} = node{}({});\n", compute_type(result), variable, i, arguments);
  define(node.outputs[0], variable);
}

}  // namespace burnish::cuda
