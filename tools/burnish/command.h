// How the tool's subcommands are laid out: one file each, one line in main.cpp.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace burnish::tool {

/// Does a subcommand's work once its options are parsed; returns the exit code.
using Command = std::function<int()>;

/// Each adds its subcommand to `app` and returns what runs it.
Command add_bench(CLI::App& app);
Command add_build(CLI::App& app);
Command add_conformance(CLI::App& app);
Command add_devices(CLI::App& app);
Command add_diff(CLI::App& app);
Command add_explain(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_refit(CLI::App& app);
Command add_run(CLI::App& app);

}  // namespace burnish::tool
