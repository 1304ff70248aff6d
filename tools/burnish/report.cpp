#include "report.h"

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace burnish::tool {

void write_report(const std::string& path, const nlohmann::ordered_json& report) {
  write_file(path, report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace burnish::tool
