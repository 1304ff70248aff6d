#include <burnish/build.h>

#include <array>

namespace burnish {
namespace {

constexpr std::array<std::string_view, 6> names = {"fp32", "tf32", "fp16", "bf16", "int8", "fp8"};

}  // namespace

std::string_view precision_name(Precision precision) { return names[static_cast<size_t>(precision)]; }

std::optional<Precision> parse_precision(std::string_view name) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Precision>(i);
  return std::nullopt;
}

}  // namespace burnish
