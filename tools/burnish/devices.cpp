// burnish devices: what is here, and what each device can do.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "device/device.h"
#include "report.h"

namespace burnish::tool {
namespace {

using json = nlohmann::ordered_json;

std::string spec_of(const device::DeviceInfo& info) {
  return info.index == 0 ? info.backend : fmt::format("{}:{}", info.backend, info.index);
}

std::string units(const device::DeviceInfo& info) {
  return info.multiprocessors > 0 ? fmt::format("{} multiprocessors", info.multiprocessors)
                                  : fmt::format("{} threads", info.threads);
}

void print_device(const device::DeviceInfo& info) {
  std::string libraries, precisions;
  for (const auto& [name, version] : info.libraries)
    libraries += fmt::format("{}{} {}", libraries.empty() ? "" : ", ", name, version);
  for (const std::string& name : info.precisions) precisions += (precisions.empty() ? "" : ", ") + name;
  fmt::print("{:10} {} ({}), {}, {:.1f} GB; {}{}{}\n", spec_of(info), info.name, info.arch, units(info),
             static_cast<double>(info.memory_bytes) / 1e9, precisions, libraries.empty() ? "" : "; ",
             libraries);
}

json to_json(const device::DeviceInfo& info) {
  json libraries = json::object();
  for (const auto& [name, version] : info.libraries) libraries[name] = version;
  return {{"device", spec_of(info)},
          {"backend", info.backend},
          {"index", info.index},
          {"name", info.name},
          {"arch", info.arch},
          {"threads", info.threads},
          {"multiprocessors", info.multiprocessors},
          {"memory_bytes", info.memory_bytes},
          {"libraries", libraries},
          {"precisions", info.precisions}};
}

int run(const std::string& json_path) {
  json devices = json::array(), missing = json::object();
  for (const std::string& name : device::backend_names()) {
    std::string problem;
    device::Backend* backend = device::find_backend(name, &problem);
    const std::vector<device::DeviceInfo> found =
        backend ? backend->devices(&problem) : std::vector<device::DeviceInfo>();
    for (const device::DeviceInfo& info : found) {
      print_device(info);
      devices.push_back(to_json(info));
    }
    if (!found.empty()) continue;
    fmt::print("{:10} none: {}\n", name, problem);
    missing[name] = problem;
  }
  if (!json_path.empty())
    write_report(json_path, {{"devices", devices}, {"missing", missing}});
  return 0;
}

}  // namespace

Command add_devices(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("devices", "What is here, and what each device can do");
  auto path = std::make_shared<std::string>();
  command.add_option("--json", *path, "write the list to this file as JSON too");
  command.footer("\nExamples:\n  burnish devices\n");
  return [path] { return run(*path); };
}

}  // namespace burnish::tool
