// burnish build: optimise, tune and save.
#include <fmt/core.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "command.h"
#include "engines.h"
#include "report.h"
#include "runtime/engine_state.h"

namespace burnish::tool {
namespace {

int run(const std::string& model, const std::string& output, const CommonOptions& common) {
  const Engine engine = open_engine(model, common);
  engine.save(output);
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(output));
  const device::DeviceInfo& info = engine.state().program->device->info();
  if (!common.quiet)
    fmt::print("{}: {:.1f} MB for {} ({}), built in {:.2f} s\n", output, static_cast<double>(bytes) / 1e6, info.name, info.arch, engine.state().build_seconds);
  if (!common.json.empty())
    write_report(common.json, {{"engine", output}, {"engine_bytes", bytes}, {"device", info.backend}, {"device_name", info.name}, {"build_seconds", engine.state().build_seconds}});
  return 0;
}

}  // namespace

Command add_build(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("build", "Optimise and tune a model, and save the engine");
  auto paths = std::make_shared<std::pair<std::string, std::string>>();
  command.add_option("model", paths->first, "an .onnx file")->required();
  command.add_option("-o,--output", paths->second, "the .burnish file to write")->required();
  command.footer("\nExamples:\n  burnish build resnet50.onnx -o resnet50.burnish\n  burnish build page.onnx --shape x=1x3x640x640 -o page.burnish\n");
  auto common = add_common_options(command);
  return [paths, common] { return run(paths->first, paths->second, *common); };
}

}  // namespace burnish::tool
