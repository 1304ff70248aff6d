// The command line. Exit codes: 0 done; 1 the work failed; 2 wrong usage.
#include <burnish/error.h>
#include <fmt/core.h>

#include <new>
#include <string>

#include "command.h"

namespace burnish::tool {
namespace {

constexpr const char* examples = R"(
Examples:
  burnish build model.onnx -o model.burnish       optimise, tune and save
  burnish bench model.burnish                     measure
  burnish inspect model.onnx                      the optimised graph
  burnish run model.onnx --input x=x.npy          run once
  burnish conformance /usr/share/libonnx-testdata/data/node

`burnish COMMAND --help` shows a command's options.)";

/// Of a message that quotes something very long, a symbolic shape say, the middle is left out.
int complain(std::string message, int code) {
  constexpr size_t longest = 4000, kept = 1500;
  if (message.size() > longest) message.replace(kept, message.size() - 2 * kept, " [...] ");
  fmt::print(stderr, "burnish: {}\n", message);
  return code;
}

int run(int argc, char** argv) {
  CLI::App app("Optimises a trained model for the chip at hand, and runs it.", "burnish");
  app.footer(examples);
  app.require_subcommand(1);
  app.set_version_flag("--version", "burnish " BURNISH_VERSION);
  const std::pair<const char*, Command> commands[] = {
      {"build", add_build(app)},
      {"run", add_run(app)},
      {"bench", add_bench(app)},
      {"refit", add_refit(app)},
      {"inspect", add_inspect(app)},
      {"diff", add_diff(app)},
      {"explain", add_explain(app)},
      {"conformance", add_conformance(app)},
      {"devices", add_devices(app)},
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain(fmt::format("{}\nRun with --help for usage.", error.what()), 2);
  }
  for (const auto& [name, command] : commands)
    if (app.got_subcommand(name)) return command();
  return 2;
}

}  // namespace
}  // namespace burnish::tool

int main(int argc, char** argv) {
  using burnish::tool::complain;
  try {
    return burnish::tool::run(argc, argv);
  } catch (const burnish::UsageError& error) {
    return complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return complain("out of memory", 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
