// From what the command line names to an engine, and inputs for it.
#pragma once

#include <burnish/burnish.h>

#include <nlohmann/json_fwd.hpp>

#include "options.h"

namespace burnish::tool {

/// True for a .burnish file, by its first bytes.
bool is_engine_file(const std::string& path);
/// Loads an engine, or builds one from a model with a progress line on standard error.
Engine open_engine(const std::string& path, const CommonOptions& options);
/// Builds with a progress line on standard error.
Engine build_with_progress(const Model& model, const CommonOptions& options);
/// What the build wrote down (src/build/record.h). Throws Error where the engine holds no such thing.
nlohmann::ordered_json engine_record(const Engine& engine);
/// The inputs that `given` does not hold, seeded. Integers that index something stay small; a symbolic dimension is what
/// --shape or a given input says, else the opt of its range. Throws Error naming an input whose shape does not fit.
TensorMap complete_inputs(const Engine& engine, TensorMap given, const CommonOptions& options, std::vector<std::string>* made = nullptr);

}  // namespace burnish::tool
