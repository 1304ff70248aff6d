#include "graph_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace burnish::tool {
namespace {

using Lines = std::vector<std::string>;

/// The graph's text, line by line, without its name.
Lines lines_of(const ir::Graph& graph) {
  const std::shared_ptr<ir::Graph> copy = graph.clone();
  copy->name = "main";
  std::istringstream text(ir::print(*copy));
  Lines lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

/// The lengths of longest common subsequences of the tails of a and b, row by row.
std::vector<uint16_t> common_lengths(const Lines& a, const Lines& b) {
  const size_t width = b.size() + 1;
  std::vector<uint16_t> lengths((a.size() + 1) * width, 0);
  for (size_t i = a.size(); i-- > 0;)
    for (size_t j = b.size(); j-- > 0;)
      lengths[i * width + j] = a[i] == b[j]
                                   ? static_cast<uint16_t>(lengths[(i + 1) * width + j + 1] + 1)
                                   : std::max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  return lengths;
}

/// Removes what both begin and end with.
void trim(Lines& a, Lines& b) {
  const auto begins = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  a.erase(a.begin(), begins.first);
  b.erase(b.begin(), begins.second);
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.pop_back();
    b.pop_back();
  }
}

Lines line_differences(Lines a, Lines b) {
  trim(a, b);
  Lines differences;
  const auto only = [&](char sign, const std::string& line) {
    differences.push_back(
        fmt::format("{} {}", sign, line.substr(std::min(line.find_first_not_of(' '), line.size()))));
  };
  // The table of a pair of very long texts would not fit: they are then shown whole.
  constexpr size_t largest_table = size_t{1} << 28;
  if ((a.size() + 1) * (b.size() + 1) > largest_table || std::max(a.size(), b.size()) > UINT16_MAX) {
    for (const std::string& line : a) only('-', line);
    for (const std::string& line : b) only('+', line);
    return differences;
  }
  const std::vector<uint16_t> lengths = common_lengths(a, b);
  const size_t width = b.size() + 1;
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j])
      ++i, ++j;
    else if (j == b.size() || (i < a.size() && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]))
      only('-', a[i++]);
    else
      only('+', b[j++]);
  }
  return differences;
}

}  // namespace

std::vector<std::string> graph_differences(const ir::Graph& a, const ir::Graph& b) {
  Lines differences = line_differences(lines_of(a), lines_of(b));
  for (ir::ValueId id : a.constants()) {
    const ir::Value& constant = a.value(id);
    const ir::ValueId other = b.find_value(constant.name);
    if (!other || !b.value(other).is_constant() || b.value(other).type != constant.type) continue;
    const Tensor &x = constant.constant, &y = b.value(other).constant;
    if (x.raw() && y.raw() && std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.bytes())) != 0)
      differences.push_back(
          fmt::format("~ constant '{}' {} holds other data", constant.name, constant.type.str()));
  }
  return differences;
}

}  // namespace burnish::tool
