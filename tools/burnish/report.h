// What --json FILE writes.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace burnish::tool {

/// Writes the file whole or not at all. Names of models and files may be any bytes; what is no UTF-8 becomes
/// U+FFFD.
void write_report(const std::string& path, const nlohmann::ordered_json& report);

}  // namespace burnish::tool
